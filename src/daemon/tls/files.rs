//! PEM files: certificates, private keys with or without a passphrase, and folders of CA certificates.
//!
//! Errors are texts that go behind the reference's words for what could not be loaded.

use std::fs;
use std::io;

use pkcs8::{EncryptedPrivateKeyInfo, pkcs5};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::fault;

const NO_START: &str = "error:0480006C:PEM routines::no start line";
const NO_KEY: &str = "error:1E08010C:DECODER routines::unsupported";
const NO_PASS: &str = "error:07880109:common libcrypto routines::interrupted or cancelled";
const WRONG_PASS: &str = "error:1C800064:Provider routines::bad decrypt";
const OTHER_WAY: &str = "encrypted in a way that sentineld does not read: convert it with \
                         `openssl pkcs8 -topk8 -in <old> -out <new>`";
const NO_CA: &str = "error:05800088:x509 certificate routines::no certificate or crl found";

/// Largest file that is read: a bundle of all public CAs has a quarter of a megabyte.
const MAX_FILE: u64 = 16 * 1024 * 1024;

/// The content of a file of reasonable size.
pub fn read(path: &str) -> io::Result<Vec<u8>> {
    use io::Read;
    let mut content = Vec::new();
    fs::File::open(path)?.take(MAX_FILE).read_to_end(&mut content)?;
    Ok(content)
}

/// The certificates of a file, in their order: at least one.
pub fn certificates(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let content = read(path).map_err(|error| fault::system(&error))?;
    match in_pem(&content)? {
        found if found.is_empty() => Err(NO_START.to_owned()),
        found => Ok(found),
    }
}

/// The certificates of a CA file.
pub fn authorities(path: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let content = read(path).map_err(|error| fault::system(&error))?;
    match in_pem(&content)? {
        found if found.is_empty() => Err(NO_CA.to_owned()),
        found => Ok(found),
    }
}

fn in_pem(content: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    CertificateDer::pem_slice_iter(content)
        .collect::<Result<_, pem::Error>>()
        .map_err(|_| "error:04800064:PEM routines::bad base64 decode".to_owned())
}

/// The certificates of all files of a folder; files that hold none are no concern of ours.
pub fn folder(path: &str) -> io::Result<Vec<CertificateDer<'static>>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        // What is no file would not end, or make us wait.
        if !fs::metadata(&file).is_ok_and(|data| data.is_file()) {
            continue;
        }
        let content = file.to_str().and_then(|file| read(file).ok()).unwrap_or_default();
        found.extend(CertificateDer::pem_slice_iter(&content).filter_map(Result::ok));
    }
    // The links with hash names that OpenSSL wants repeat what they point to.
    found.sort_by(|one, other| one.as_ref().cmp(other.as_ref()));
    found.dedup();
    Ok(found)
}

/// The private key of a file.
pub fn private_key(path: &str, pass: Option<&[u8]>) -> Result<PrivateKeyDer<'static>, String> {
    let content = read(path).map_err(|error| fault::system(&error))?;
    key_in(&content, pass)
}

fn key_in(content: &[u8], pass: Option<&[u8]>) -> Result<PrivateKeyDer<'static>, String> {
    let text = String::from_utf8_lossy(content);
    let starts = text.match_indices("-----BEGIN ").map(|(at, _)| &text[at..]);
    let mut keys = starts.filter(|block| {
        block.lines().next().is_some_and(|label| label.trim_end().ends_with("PRIVATE KEY-----"))
    });
    let block = keys.next().ok_or(NO_KEY)?;
    if block.starts_with("-----BEGIN ENCRYPTED") {
        return decrypt(block, pass.ok_or(NO_PASS)?);
    }
    if block.lines().nth(1).is_some_and(|line| line.starts_with("Proc-Type:") && line.contains("ENCRYPTED")) {
        pass.ok_or(NO_PASS)?;
        return Err(OTHER_WAY.to_owned());
    }
    PrivateKeyDer::from_pem_slice(block.as_bytes()).map_err(|_| NO_KEY.to_owned())
}

/// Decrypts a block `ENCRYPTED PRIVATE KEY`. Below that label it has the form of a plain one.
fn decrypt(block: &str, pass: &[u8]) -> Result<PrivateKeyDer<'static>, String> {
    let plain = block.replace("ENCRYPTED PRIVATE KEY-----", "PRIVATE KEY-----");
    let wrapped = PrivatePkcs8KeyDer::from_pem_slice(plain.as_bytes()).map_err(|_| NO_KEY.to_owned())?;
    let wrapped = EncryptedPrivateKeyInfo::try_from(wrapped.secret_pkcs8_der()).map_err(|_| OTHER_WAY)?;
    let key = wrapped.decrypt(pass).map_err(|error| match error {
        pkcs8::Error::EncryptedPrivateKey(
            pkcs5::Error::NoPbes1CryptSupport
            | pkcs5::Error::UnsupportedAlgorithm { .. }
            | pkcs5::Error::AlgorithmParametersInvalid { .. },
        ) => OTHER_WAY,
        _ => WRONG_PASS,
    })?;
    Ok(PrivatePkcs8KeyDer::from(key.as_bytes().to_vec()).into())
}

//! From the directives to what the library needs: opens the files, in the reference's order and with its words for what is wrong.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion};

use super::certificate::Certificate;
use super::fault::{self, Fault, Remark};
use super::sessions::Sessions;
use super::trust::Trust;
use super::{files, suites};
use crate::conf::TlsSettings;
use crate::conf::tls::{AuthClients, KeyPair};
use crate::daemon::strerror::strerror;

/// How many sessions are kept if the file says 0, which means no limit to the reference.
/// Differs: memory that anybody can fill has one.
const SESSIONS: usize = 20_480;

/// What connections are made with.
#[derive(Debug)]
pub struct Contexts {
    /// Those that we accept.
    pub server: Arc<ServerConfig>,
    /// Those that we open; `None`: in plain text.
    pub client: Option<Arc<ClientConfig>>,
}

/// The names of the directives for one certificate and key.
struct Names {
    cert_file: &'static str,
    key_file: &'static str,
    key_pass: &'static str,
}

const OWN: Names =
    Names { cert_file: "tls-cert-file", key_file: "tls-key-file", key_pass: "tls-key-file-pass" };
const CLIENT: Names = Names {
    cert_file: "tls-client-cert-file",
    key_file: "tls-client-key-file",
    key_pass: "tls-client-key-file-pass",
};

/// Opens everything.
pub fn build(settings: &TlsSettings) -> Result<(Contexts, Vec<Remark>), Fault> {
    let mut remarks = Vec::new();
    check_presence(settings)?;
    let versions = suites::versions(settings.protocols.as_deref(), &mut remarks)?;
    let own = certified_key(&settings.own, &OWN, &mut remarks)?;
    let authorities = authorities(settings, &mut remarks)?;
    let provider = Arc::new(suites::provider(settings, &mut remarks)?);
    check_dh_params(settings, &mut remarks)?;
    let must_show = settings.auth_clients == AuthClients::Yes;
    let trust = Arc::new(Trust::new(authorities, provider.signature_verification_algorithms, must_show));
    let has_ca = settings.ca_file.is_some() || settings.ca_dir.is_some();
    if has_ca && trust.is_empty() {
        let directive = if settings.ca_file.is_some() { "tls-ca-cert-file" } else { "tls-ca-cert-dir" };
        let text =
            "no certificate of a CA was found that vouches for itself: nobody can be trusted".to_owned();
        remarks.push(Remark { directive, text });
    }
    let shown = match (&settings.client.cert_file, &settings.client.key_file) {
        (Some(_), Some(_)) => certified_key(&settings.client, &CLIENT, &mut remarks)?,
        (None, None) => own.clone(),
        (cert_file, _) => {
            let (directive, other) = match cert_file {
                Some(_) => (CLIENT.cert_file, CLIENT.key_file),
                None => (CLIENT.key_file, CLIENT.cert_file),
            };
            let text = format!("has no effect without `{other}`: `{}` is shown to servers", OWN.cert_file);
            remarks.push(Remark { directive, text });
            own.clone()
        }
    };
    let server = server(settings, &provider, &versions, trust.clone(), own)?;
    let client = match settings.replication {
        true => Some(client(&provider, &versions, trust, shown)?),
        false => None,
    };
    Ok((Contexts { server, client }, remarks))
}

/// Spec 1 §4.2: what must be there whatever it is.
fn check_presence(settings: &TlsSettings) -> Result<(), Fault> {
    let missing = |message: &str, directive: &'static str, expected: &str| {
        Err(Fault { message: message.to_owned(), directive, expected: expected.to_owned() })
    };
    if settings.own.cert_file.is_none() {
        return missing("No tls-cert-file configured!", OWN.cert_file, CERT_FILE);
    }
    if settings.own.key_file.is_none() {
        return missing("No tls-key-file configured!", OWN.key_file, KEY_FILE);
    }
    let needs_ca = settings.auth_clients != AuthClients::No || settings.cluster || settings.replication;
    if needs_ca && settings.ca_file.is_none() && settings.ca_dir.is_none() {
        return missing(
            "Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, tls-replication or tls-auth-clients \
             are enabled!",
            "tls-ca-cert-file",
            CA_FILE,
        );
    }
    Ok(())
}

const CERT_FILE: &str = "`tls-cert-file <path>` with a readable PEM file that holds our certificate";
const KEY_FILE: &str = "`tls-key-file <path>` with a readable PEM file that holds the key of our certificate";
const CA_FILE: &str = "`tls-ca-cert-file <path>` with a readable PEM file that holds certificates of CAs";
const KINDS: &str = "an RSA key of 2048 bits or more, or one for P-256, P-384 or Ed25519";

/// A certificate, what links it to its CA, and its key.
fn certified_key(
    pair: &KeyPair,
    names: &Names,
    remarks: &mut Vec<Remark>,
) -> Result<Arc<CertifiedKey>, Fault> {
    let cert_file = pair.cert_file.as_deref().unwrap_or_default();
    let key_file = pair.key_file.as_deref().unwrap_or_default();
    let bad_cert = |reason: &str| Fault {
        message: format!("Failed to load certificate: {cert_file}: {reason}"),
        directive: names.cert_file,
        expected: format!("`{} <path>` with a readable PEM file that holds a certificate", names.cert_file),
    };
    let bad_key = |reason: &str, expected: &str| Fault {
        message: format!("Failed to load private key: {key_file}: {reason}"),
        directive: names.key_file,
        expected: format!("`{} <path>` with {expected}", names.key_file),
    };
    let chain = files::certificates(cert_file).map_err(|reason| bad_cert(&reason))?;
    let first = chain.first().and_then(Certificate::parse);
    let first = first.ok_or_else(|| bad_cert("error:0688010A:asn1 encoding routines::nested asn1 error"))?;
    let readable =
        format!("a readable PEM file that holds a private key, and its passphrase in `{}`", names.key_pass);
    let key = files::private_key(key_file, pair.key_pass.as_deref())
        .map_err(|reason| bad_key(&reason, &readable))?;
    let key = rustls::crypto::ring::sign::any_supported_type(&key)
        .map_err(|_| bad_key("keys of this kind or size can't be used", KINDS))?;
    if key.public_key().is_some_and(|key| key != first.public_key()) {
        let reason = "error:05800074:x509 certificate routines::key values mismatch";
        return Err(bad_key(reason, &format!("the key of the certificate in `{}`", names.cert_file)));
    }
    if first.expired().is_some() {
        let text = format!("the certificate in {cert_file} has expired: the other side will not trust it");
        remarks.push(Remark { directive: names.cert_file, text });
    }
    Ok(Arc::new(CertifiedKey::new(chain, key)))
}

/// The certificates of the CA file and folder.
/// Differs: the reference looks into a folder at each handshake, and only at names that are hashes.
fn authorities(
    settings: &TlsSettings,
    remarks: &mut Vec<Remark>,
) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let mut found = Vec::new();
    if let Some(file) = &settings.ca_file {
        found = files::authorities(file).map_err(|reason| Fault {
            message: format!("Failed to configure CA certificate(s) file/directory: {reason}"),
            directive: "tls-ca-cert-file",
            expected: CA_FILE.to_owned(),
        })?;
    }
    if let Some(folder) = &settings.ca_dir {
        match files::folder(folder) {
            Ok(more) => found.extend(more),
            Err(error) => {
                let text = format!("{folder}: {}. The folder is ignored", strerror(&error));
                remarks.push(Remark { directive: "tls-ca-cert-dir", text });
            }
        }
    }
    Ok(found)
}

/// The file is checked as far as the reference checks it, for a mistake in it is one in the configuration.
fn check_dh_params(settings: &TlsSettings, remarks: &mut Vec<Remark>) -> Result<(), Fault> {
    const DIRECTIVE: &str = "tls-dh-params-file";
    let Some(file) = &settings.dh_params_file else { return Ok(()) };
    let fault = |message| Fault {
        message,
        directive: DIRECTIVE,
        expected: "a readable PEM file with DH parameters, or no such line: sentineld does not use them"
            .to_owned(),
    };
    let content =
        files::read(file).map_err(|error| fault(format!("Failed to load {file}: {}", strerror(&error))))?;
    if !String::from_utf8_lossy(&content).contains("DH PARAMETERS-----") {
        return Err(fault(format!("{file}: failed to read DH params.")));
    }
    let text = "has no effect: keys are exchanged over elliptic curves only".to_owned();
    remarks.push(Remark { directive: DIRECTIVE, text });
    Ok(())
}

fn server(
    settings: &TlsSettings,
    provider: &Arc<CryptoProvider>,
    versions: &[&'static SupportedProtocolVersion],
    trust: Arc<Trust>,
    own: Arc<CertifiedKey>,
) -> Result<Arc<ServerConfig>, Fault> {
    let verifier = match settings.auth_clients {
        AuthClients::No => WebPkiClientVerifier::no_client_auth(),
        AuthClients::Yes | AuthClients::Optional => trust,
    };
    let builder = ServerConfig::builder_with_provider(provider.clone());
    let mut config = builder
        .with_protocol_versions(versions)
        .map_err(|error| unusable(&error))?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(own)));
    config.ignore_client_order = settings.prefer_server_ciphers;
    if settings.session_caching {
        let most = if settings.session_cache_size == 0 { SESSIONS } else { settings.session_cache_size };
        config.session_storage = Arc::new(Sessions::new(most, settings.session_cache_timeout));
    } else {
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(Arc::new(config))
}

fn client(
    provider: &Arc<CryptoProvider>,
    versions: &[&'static SupportedProtocolVersion],
    trust: Arc<Trust>,
    shown: Arc<CertifiedKey>,
) -> Result<Arc<ClientConfig>, Fault> {
    let builder = ClientConfig::builder_with_provider(provider.clone());
    let mut config = builder
        .with_protocol_versions(versions)
        .map_err(|error| unusable(&error))?
        .dangerous()
        .with_custom_certificate_verifier(trust)
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(shown)));
    // Links last; and like the reference's they name no host.
    config.resumption = rustls::client::Resumption::disabled();
    config.enable_sni = false;
    Ok(Arc::new(config))
}

fn unusable(error: &rustls::Error) -> Fault {
    Fault {
        message: format!("Failed to configure protocols: {}", fault::broken(error)),
        directive: "tls-protocols",
        expected: "versions for which there are cipher suites".to_owned(),
    }
}

//! `tls-protocols`, `tls-ciphers` and `tls-ciphersuites`: which of what the library has may be used.
//!
//! The library has no weak suites, so a list that asks for some besides good ones still gets a good connection, and a remark.

use rustls::crypto::CryptoProvider;
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, SupportedProtocolVersion};

use super::fault::{Fault, Remark};
use crate::conf::TlsSettings;

/// A suite of TLSv1.2: its name with OpenSSL, and the words of OpenSSL that include it besides those of all.
struct Suite {
    id: CipherSuite,
    name: &'static str,
    words: [&'static str; 4],
    bits: u16,
}

const fn suite(id: CipherSuite, name: &'static str, words: [&'static str; 4], bits: u16) -> Suite {
    Suite { id, name, words, bits }
}

const SUITES: [Suite; 6] = [
    suite(
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        ["AES", "AES256", "AESGCM", "ECDSA"],
        256,
    ),
    suite(
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        "ECDHE-RSA-AES256-GCM-SHA384",
        ["AES", "AES256", "AESGCM", "aRSA"],
        256,
    ),
    suite(
        CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        "ECDHE-ECDSA-CHACHA20-POLY1305",
        ["CHACHA20", "CHACHA20", "CHACHA20", "ECDSA"],
        256,
    ),
    suite(
        CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        "ECDHE-RSA-CHACHA20-POLY1305",
        ["CHACHA20", "CHACHA20", "CHACHA20", "aRSA"],
        256,
    ),
    suite(
        CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        ["AES", "AES128", "AESGCM", "ECDSA"],
        128,
    ),
    suite(
        CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        "ECDHE-RSA-AES128-GCM-SHA256",
        ["AES", "AES128", "AESGCM", "aRSA"],
        128,
    ),
];

/// Words of OpenSSL that include all of them.
const ALL: [&str; 8] = ["ALL", "DEFAULT", "HIGH", "ECDHE", "EECDH", "kECDHE", "kEECDH", "TLSv1.2"];

/// Suites of TLSv1.3 by the name that both sides use.
const SUITES_13: [(&str, CipherSuite); 3] = [
    ("TLS_AES_256_GCM_SHA384", CipherSuite::TLS13_AES_256_GCM_SHA384),
    ("TLS_CHACHA20_POLY1305_SHA256", CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
    ("TLS_AES_128_GCM_SHA256", CipherSuite::TLS13_AES_128_GCM_SHA256),
];

impl Suite {
    /// `word` may be several, joined by `+`, of which all must apply.
    fn is_meant(&self, word: &str) -> bool {
        word.split('+').all(|word| {
            let ecdsa = word == "aECDSA" && self.words.contains(&"ECDSA");
            word == self.name || ALL.contains(&word) || self.words.contains(&word) || ecdsa
        })
    }
}

/// The library's cryptography, reduced to the suites that `tls-ciphers` and `tls-ciphersuites` allow, in their order.
pub fn provider(settings: &TlsSettings, remarks: &mut Vec<Remark>) -> Result<CryptoProvider, Fault> {
    let old = ciphers(settings.ciphers.as_deref(), remarks)?;
    let new = ciphersuites(settings.ciphersuites.as_deref(), remarks)?;
    let mut provider = rustls::crypto::ring::default_provider();
    let all = std::mem::take(&mut provider.cipher_suites);
    let wanted = new.into_iter().chain(old);
    provider.cipher_suites =
        wanted.filter_map(|id| all.iter().find(|suite| suite.suite() == id)).copied().collect();
    Ok(provider)
}

/// The versions of `tls-protocols`, at least one.
pub fn versions(
    text: Option<&str>,
    remarks: &mut Vec<Remark>,
) -> Result<Vec<&'static SupportedProtocolVersion>, Fault> {
    let Some(text) = text else { return Ok(vec![&TLS13, &TLS12]) };
    let mut versions = Vec::new();
    let mut old = Vec::new();
    for word in text.split_ascii_whitespace() {
        match word.to_ascii_lowercase().as_str() {
            "tlsv1.3" => versions.push(&TLS13),
            "tlsv1.2" => versions.push(&TLS12),
            "tlsv1" | "tlsv1.1" => old.push(word),
            _ => {
                return Err(fault(
                    "Invalid tls-protocols specified. Use a combination of 'TLSv1', 'TLSv1.1', 'TLSv1.2' and 'TLSv1.3'.",
                    "tls-protocols",
                    "`tls-protocols \"TLSv1.2 TLSv1.3\"` or one of the two",
                ));
            }
        }
    }
    if versions.is_empty() {
        return Err(fault(
            "tls-protocols names no version that can be used: TLSv1 and TLSv1.1 are not safe, and not part of sentineld.",
            "tls-protocols",
            "`tls-protocols \"TLSv1.2 TLSv1.3\"` or one of the two",
        ));
    }
    if !old.is_empty() {
        let text =
            format!("{} is not available: it is not safe. The other versions are used", old.join(", "));
        remarks.push(Remark { directive: "tls-protocols", text });
    }
    Ok(versions)
}

/// Suites of TLSv1.2, in the order of preference, by the language of OpenSSL's cipher lists.
fn ciphers(text: Option<&str>, remarks: &mut Vec<Remark>) -> Result<Vec<CipherSuite>, Fault> {
    let text = text.unwrap_or("DEFAULT");
    let mut chosen: Vec<&Suite> = Vec::new();
    let mut killed: Vec<&str> = Vec::new();
    let mut missing = Vec::new();
    for word in text.split([':', ',', ' ', ';']).filter(|word| !word.is_empty()) {
        if word == "@STRENGTH" {
            chosen.sort_by_key(|suite| std::cmp::Reverse(suite.bits));
        } else if let Some(word) = word.strip_prefix('!') {
            killed.extend(SUITES.iter().filter(|suite| suite.is_meant(word)).map(|suite| suite.name));
            chosen.retain(|suite| !suite.is_meant(word));
        } else if let Some(word) = word.strip_prefix('-') {
            chosen.retain(|suite| !suite.is_meant(word));
        } else if let Some(word) = word.strip_prefix('+') {
            chosen.sort_by_key(|suite| suite.is_meant(word));
        } else if !word.starts_with('@') {
            let meant = || SUITES.iter().filter(|suite| suite.is_meant(word));
            if meant().next().is_none() {
                missing.push(word);
            }
            for suite in meant().filter(|suite| !killed.contains(&suite.name)) {
                if !chosen.iter().any(|other| other.id == suite.id) {
                    chosen.push(suite);
                }
            }
        }
    }
    if chosen.is_empty() {
        return Err(fault(
            &format!("Failed to configure ciphers: {text}"),
            "tls-ciphers",
            &format!("at least one of {}", SUITES.map(|suite| suite.name).join(" ")),
        ));
    }
    in_vain("tls-ciphers", &missing, remarks);
    Ok(chosen.into_iter().map(|suite| suite.id).collect())
}

fn ciphersuites(text: Option<&str>, remarks: &mut Vec<Remark>) -> Result<Vec<CipherSuite>, Fault> {
    let Some(text) = text else { return Ok(SUITES_13.map(|(_, id)| id).to_vec()) };
    let mut chosen = Vec::new();
    let mut missing = Vec::new();
    for word in text.split(':').filter(|word| !word.is_empty()) {
        match SUITES_13.iter().find(|(name, _)| *name == word) {
            Some((_, id)) if !chosen.contains(id) => chosen.push(*id),
            Some(_) => {}
            None => missing.push(word),
        }
    }
    if chosen.is_empty() {
        return Err(fault(
            &format!("Failed to configure ciphersuites: {text}"),
            "tls-ciphersuites",
            &format!("at least one of {}", SUITES_13.map(|(name, _)| name).join(" ")),
        ));
    }
    in_vain("tls-ciphersuites", &missing, remarks);
    Ok(chosen)
}

fn in_vain(directive: &'static str, missing: &[&str], remarks: &mut Vec<Remark>) {
    if !missing.is_empty() {
        let text = format!("{} is not available. The others are used", missing.join(", "));
        remarks.push(Remark { directive, text });
    }
}

fn fault(message: &str, directive: &'static str, expected: &str) -> Fault {
    Fault { message: message.to_owned(), directive, expected: expected.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Result<(String, usize), String> {
        let mut remarks = Vec::new();
        let ids = ciphers(Some(text), &mut remarks).map_err(|fault| fault.message)?;
        let name = |id: &CipherSuite| SUITES.iter().find(|suite| suite.id == *id).expect("one of them").name;
        Ok((ids.iter().map(name).collect::<Vec<_>>().join(" "), remarks.len()))
    }

    #[test]
    fn cipher_lists_are_read_as_openssl_reads_them() {
        let all = SUITES.map(|suite| suite.name).join(" ");
        for text in
            ["DEFAULT:!MEDIUM", "HIGH:!aNULL:!MD5@STRENGTH", "ALL:@SECLEVEL=2", "ECDHE+AESGCM:ECDHE+CHACHA20"]
        {
            let (found, remarks) = names(text).expect(text);
            assert_eq!((found.split(' ').count(), remarks), (6, 0), "{text}");
        }
        assert_eq!(names("HIGH"), Ok((all, 0)));
        let rsa = "ECDHE-RSA-AES128-GCM-SHA256";
        assert_eq!(names(&format!("{rsa}:foo")), Ok((rsa.to_owned(), 1)));
        assert_eq!(names("AES128-SHA:AESGCM+aRSA:!AES256"), Ok((rsa.to_owned(), 1)));
        assert_eq!(names("!aECDSA:AES128"), Ok((rsa.to_owned(), 0)));
        let (order, _) = names("AESGCM+aRSA:+AES256").expect("two");
        assert_eq!(order, "ECDHE-RSA-AES128-GCM-SHA256 ECDHE-RSA-AES256-GCM-SHA384");
        let (order, _) = names("AES128+aRSA:AES256+aRSA:@STRENGTH").expect("two");
        assert_eq!(order, "ECDHE-RSA-AES256-GCM-SHA384 ECDHE-RSA-AES128-GCM-SHA256");
        for text in ["foo", "AES128-SHA", "HIGH:!ECDHE", "HIGH:-ALL"] {
            assert_eq!(names(text), Err(format!("Failed to configure ciphers: {text}")));
        }
    }

    #[test]
    fn suites_and_versions_that_are_unknown_or_unsafe_are_left_out() {
        let mut remarks = Vec::new();
        let chosen = ciphersuites(Some("TLS_AES_128_CCM_SHA256:TLS_AES_128_GCM_SHA256"), &mut remarks);
        assert_eq!(chosen, Ok(vec![CipherSuite::TLS13_AES_128_GCM_SHA256]));
        assert_eq!(remarks.len(), 1);
        assert!(ciphersuites(Some("TLS_AES_128_CCM_SHA256"), &mut remarks).is_err());
        assert!(ciphersuites(None, &mut remarks).is_ok_and(|all| all.len() == 3));

        let mut remarks = Vec::new();
        assert_eq!(versions(Some("TLSV1.2"), &mut remarks), Ok(vec![&TLS12]));
        assert_eq!(versions(None, &mut remarks).map(|all| all.len()), Ok(2));
        assert!(remarks.is_empty());
        assert_eq!(versions(Some("TLSv1 TLSv1.3"), &mut remarks), Ok(vec![&TLS13]));
        assert_eq!(remarks.len(), 1);
        assert!(versions(Some("TLSv1.1"), &mut remarks).is_err());
        let unknown = versions(Some("SSLv3"), &mut remarks).expect_err("unknown");
        assert!(unknown.message.starts_with("Invalid tls-protocols specified."));
    }
}

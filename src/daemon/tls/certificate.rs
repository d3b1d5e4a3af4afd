//! A certificate, opened as far as we look into it ourselves: any version, self-made or not.

use std::time::{SystemTime, UNIX_EPOCH};

use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, SubjectPublicKeyInfoDer, UnixTime};
use webpki::RawPublicKeyEntity;
use x509_cert::certificate::{CertificateInner, Raw, Version};
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::oid::db::rfc5280::{ID_KP_CLIENT_AUTH, ID_KP_SERVER_AUTH};
use x509_cert::der::{Decode, Encode, Header, Reader, SliceReader};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName,
    SubjectKeyIdentifier,
};

/// Which side of a connection a certificate is shown by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// The one that connects.
    Client,
    /// The one that accepts.
    Server,
}

/// The extensions that a certificate may insist on: what they say is heeded here, or restricts only names, which nobody asks for.
const UNDERSTOOD: [ObjectIdentifier; 6] = [
    BasicConstraints::OID,
    KeyUsage::OID,
    ExtendedKeyUsage::OID,
    SubjectAltName::OID,
    SubjectKeyIdentifier::OID,
    AuthorityKeyIdentifier::OID,
];

/// See the module.
#[derive(Debug)]
pub struct Certificate {
    der: CertificateDer<'static>,
    /// Read with a profile that does not insist on the finer points of RFC 5280.
    parsed: CertificateInner<Raw>,
}

impl Certificate {
    /// `None` if it is damaged.
    pub fn parse(der: &CertificateDer) -> Option<Self> {
        let parsed = CertificateInner::from_der(der).ok()?;
        Some(Certificate { der: der.clone().into_owned(), parsed })
    }

    /// Issuer and subject are the same.
    pub fn is_self_issued(&self) -> bool {
        let body = &self.parsed.tbs_certificate;
        body.issuer == body.subject
    }

    /// It may issue certificates: it says so, or is of an age that can't say.
    pub fn may_issue(&self) -> bool {
        let body = &self.parsed.tbs_certificate;
        match body.get::<BasicConstraints>() {
            Ok(Some((_, constraints))) => constraints.ca,
            Ok(None) if body.version == Version::V1 => self.is_self_issued(),
            Ok(None) => {
                matches!(body.get::<KeyUsage>(), Ok(Some((_, usage))) if usage.0.contains(KeyUsages::KeyCertSign))
            }
            Err(_) => false,
        }
    }

    /// Seconds since 1970.
    pub fn not_before(&self) -> u64 {
        self.parsed.tbs_certificate.validity.not_before.to_unix_duration().as_secs()
    }

    /// Seconds since 1970.
    pub fn not_after(&self) -> u64 {
        self.parsed.tbs_certificate.validity.not_after.to_unix_duration().as_secs()
    }

    /// Neither too young nor too old.
    pub fn is_valid_at(&self, now: UnixTime) -> bool {
        (self.not_before()..=self.not_after()).contains(&now.as_secs())
    }

    /// The time until which it is valid, if that is over.
    pub fn expired(&self) -> Option<SystemTime> {
        let end = UNIX_EPOCH + std::time::Duration::from_secs(self.not_after());
        (end < SystemTime::now()).then_some(end)
    }

    /// Its public key.
    pub fn public_key(&self) -> SubjectPublicKeyInfoDer<'static> {
        let key = &self.parsed.tbs_certificate.subject_public_key_info;
        key.to_der().expect("invariant: what was read can be written").into()
    }

    /// Byte for byte.
    pub fn is_same(&self, other: &Certificate) -> bool {
        self.der == other.der
    }

    /// Nothing in it forbids this use.
    pub fn serves(&self, purpose: Purpose) -> bool {
        let body = &self.parsed.tbs_certificate;
        let understood = body
            .extensions
            .iter()
            .flatten()
            .all(|extension| !extension.critical || UNDERSTOOD.contains(&extension.extn_id));
        let wanted = match purpose {
            Purpose::Client => ID_KP_CLIENT_AUTH,
            Purpose::Server => ID_KP_SERVER_AUTH,
        };
        let meant = match body.get::<ExtendedKeyUsage>() {
            Ok(usage) => usage.is_none_or(|(_, usage)| usage.0.contains(&wanted)),
            Err(_) => false,
        };
        let signs = match body.get::<KeyUsage>() {
            Ok(usage) => usage.is_none_or(|(_, usage)| usage.0.contains(KeyUsages::DigitalSignature)),
            Err(_) => false,
        };
        understood && meant && signs
    }

    /// Names that certificate as its issuer, and is signed with its key.
    pub fn is_issued_by(
        &self,
        issuer: &Certificate,
        algorithms: &[&dyn SignatureVerificationAlgorithm],
    ) -> bool {
        if self.parsed.tbs_certificate.issuer != issuer.parsed.tbs_certificate.subject {
            return false;
        }
        let Ok((body, signature_algorithm)) = self.signed_part() else { return false };
        let Some(signature) = self.parsed.signature.as_bytes() else { return false };
        let key = issuer.public_key();
        let Ok(key) = RawPublicKeyEntity::try_from(&key) else { return false };
        algorithms
            .iter()
            .filter(|algorithm| algorithm.signature_alg_id().as_ref() == signature_algorithm)
            .any(|algorithm| key.verify_signature(*algorithm, body, signature).is_ok())
    }

    /// The bytes that are signed, and the content of the identifier of how they are.
    fn signed_part(&self) -> x509_cert::der::Result<(&[u8], &[u8])> {
        let mut reader = SliceReader::new(&self.der)?;
        Header::decode(&mut reader)?;
        let body = reader.tlv_bytes()?;
        let length = Header::decode(&mut reader)?.length;
        Ok((body, reader.read_slice(length)?))
    }
}

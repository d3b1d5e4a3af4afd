//! Whom we believe: the chain from the other side's certificate to one that the operator trusts.
//!
//! Like the reference, it asks who issued a certificate, not for which host name. The chain is checked by webpki; what that refuses
//! though OpenSSL takes it, and what many a guide produces, is checked here: certificates of X.509 version 1, and those that may
//! issue others but are shown as one's own.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::verify_tls13_signature_with_raw_key;
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, TrustAnchor, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};
use webpki::{EndEntityCert, KeyUsage, RawPublicKeyEntity};

use super::certificate::{Certificate, Purpose};

/// Verifies both kinds of other sides.
#[derive(Debug)]
pub struct Trust {
    anchors: Vec<Anchor>,
    /// Certificates of the CA files that can only be part of a chain.
    between: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
    clients_must_show: bool,
}

#[derive(Debug)]
struct Anchor {
    certificate: Certificate,
    /// `None`: trusted for itself alone, it issues nothing.
    issuer: Option<TrustAnchor<'static>>,
}

impl Trust {
    /// Trusts the certificates that issued themselves, as OpenSSL does; the others may link to them.
    pub fn new(
        certificates: Vec<CertificateDer<'static>>,
        algorithms: WebPkiSupportedAlgorithms,
        clients_must_show: bool,
    ) -> Self {
        let mut trust = Trust { anchors: Vec::new(), between: Vec::new(), algorithms, clients_must_show };
        for der in certificates {
            match Certificate::parse(&der) {
                Some(certificate) if certificate.is_self_issued() => {
                    let anchor = webpki::anchor_from_trusted_cert(&der).ok().map(|anchor| anchor.to_owned());
                    let issuer = anchor.filter(|_| certificate.may_issue());
                    trust.anchors.push(Anchor { certificate, issuer });
                }
                _ => trust.between.push(der),
            }
        }
        trust
    }

    /// True if nobody can be believed.
    pub fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }

    fn verify(
        &self,
        shown: &CertificateDer,
        chain: &[CertificateDer],
        now: UnixTime,
        purpose: Purpose,
    ) -> Result<(), Error> {
        let judged = match EndEntityCert::try_from(shown) {
            Ok(certificate) => {
                let issuers = self.anchors.iter().filter(|anchor| anchor.certificate.is_valid_at(now));
                let issuers: Vec<TrustAnchor> = issuers.filter_map(|anchor| anchor.issuer.clone()).collect();
                let chain: Vec<CertificateDer> = chain.iter().chain(&self.between).cloned().collect();
                let usage = match purpose {
                    Purpose::Client => KeyUsage::client_auth(),
                    Purpose::Server => KeyUsage::server_auth(),
                };
                let all = self.algorithms.all;
                certificate.verify_for_usage(all, &issuers, &chain, now, usage, None, None).map(|_| ())
            }
            Err(error) => Err(error),
        };
        match judged {
            Ok(()) => Ok(()),
            Err(webpki::Error::UnsupportedCertVersion | webpki::Error::CaUsedAsEndEntity) => {
                self.verify_directly(shown, now, purpose)
            }
            Err(error) => Err(refused(error)),
        }
        .map_err(Error::InvalidCertificate)
    }

    /// For what webpki does not look at: trusted itself, or issued by somebody trusted without a certificate in between.
    fn verify_directly(
        &self,
        shown: &CertificateDer,
        now: UnixTime,
        purpose: Purpose,
    ) -> Result<(), CertificateError> {
        let shown = Certificate::parse(shown).ok_or(CertificateError::BadEncoding)?;
        if now.as_secs() > shown.not_after() {
            return Err(CertificateError::Expired);
        }
        if now.as_secs() < shown.not_before() {
            return Err(CertificateError::NotValidYet);
        }
        if !shown.serves(purpose) {
            return Err(CertificateError::InvalidPurpose);
        }
        let mut valid = self.anchors.iter().filter(|anchor| anchor.certificate.is_valid_at(now));
        let trusted = valid.any(|anchor| {
            let issues = anchor.issuer.as_ref().is_some_and(|issuer| issuer.name_constraints.is_none());
            anchor.certificate.is_same(&shown)
                || issues && shown.is_issued_by(&anchor.certificate, self.algorithms.all)
        });
        if trusted { Ok(()) } else { Err(CertificateError::UnknownIssuer) }
    }

    /// The key of a certificate that the library can't read itself.
    fn key_of(certificate: &CertificateDer) -> Result<Option<SubjectPublicKeyInfoDer<'static>>, Error> {
        if EndEntityCert::try_from(certificate).is_ok() {
            return Ok(None);
        }
        let parsed = Certificate::parse(certificate)
            .ok_or(Error::InvalidCertificate(CertificateError::BadEncoding))?;
        Ok(Some(parsed.public_key()))
    }

    fn signed_12(
        &self,
        message: &[u8],
        certificate: &CertificateDer,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let Some(key) = Self::key_of(certificate)? else {
            return verify_tls12_signature(message, certificate, signed, &self.algorithms);
        };
        let bad = || Error::InvalidCertificate(CertificateError::BadSignature);
        let key = RawPublicKeyEntity::try_from(&key).map_err(|_| bad())?;
        let fitting = self.algorithms.mapping.iter().find(|(scheme, _)| *scheme == signed.scheme);
        let (_, algorithms) = fitting.ok_or_else(bad)?;
        let valid = algorithms
            .iter()
            .any(|algorithm| key.verify_signature(*algorithm, message, signed.signature()).is_ok());
        if valid { Ok(HandshakeSignatureValid::assertion()) } else { Err(bad()) }
    }

    fn signed_13(
        &self,
        message: &[u8],
        certificate: &CertificateDer,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        match Self::key_of(certificate)? {
            None => verify_tls13_signature(message, certificate, signed, &self.algorithms),
            Some(key) => verify_tls13_signature_with_raw_key(message, &key, signed, &self.algorithms),
        }
    }
}

fn refused(error: webpki::Error) -> CertificateError {
    match error {
        webpki::Error::UnknownIssuer => CertificateError::UnknownIssuer,
        webpki::Error::CertExpired { .. } => CertificateError::Expired,
        webpki::Error::CertNotValidYet { .. } => CertificateError::NotValidYet,
        webpki::Error::BadDer => CertificateError::BadEncoding,
        webpki::Error::RequiredEkuNotFoundContext(_) => CertificateError::InvalidPurpose,
        other => CertificateError::Other(OtherError(Arc::new(other))),
    }
}

impl ClientCertVerifier for Trust {
    fn client_auth_mandatory(&self) -> bool {
        self.clients_must_show
    }

    /// None: like the reference, any certificate may be tried.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        shown: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verify(shown, chain, now, Purpose::Client).map(|()| ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed_12(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed_13(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(shown, chain, now, Purpose::Server).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed_12(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.signed_13(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

//! What goes wrong, in the words of OpenSSL where it has some: log watchers know them from the reference.

use std::io;

use rustls::{CertificateError, Error, InvalidMessage, PeerIncompatible};

use crate::daemon::strerror::strerror;

/// Why a TLS configuration can't be used.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// The reference's line.
    pub message: String,
    /// The directive at fault.
    pub directive: &'static str,
    /// What was expected of it, as the end of a sentence.
    pub expected: String,
}

/// Something about a directive that the operator should know, though the configuration can be used.
#[derive(Debug, PartialEq, Eq)]
pub struct Remark {
    /// The directive.
    pub directive: &'static str,
    /// The text, as the end of a sentence that begins with the directive.
    pub text: String,
}

/// An error of the file system.
pub(super) fn system(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => {
            format!("error:{:08X}:system library::{}", 0x8000_0000 | code.unsigned_abs(), strerror(error))
        }
        None => strerror(error),
    }
}

/// The other side closed without a farewell.
pub(super) const END_OF_FILE: &str = "error:0A000126:SSL routines::unexpected eof while reading";

/// An error of the protocol as one that sockets have. Nothing else that a socket reports is of this kind.
pub(super) fn broken(error: &Error) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text(error))
}

/// True for an error of the protocol: the two sides do not get on with each other, but the network does its work.
pub fn is_disagreement(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}

/// True if what came is not TLS at all. No alert would be understood.
pub(super) fn is_foreign(error: &Error) -> bool {
    matches!(
        error,
        Error::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion)
    )
}

fn text(error: &Error) -> String {
    if is_foreign(error) {
        return "error:0A00010B:SSL routines::wrong version number".to_owned();
    }
    match error {
        Error::NoCertificatesPresented => {
            "error:0A0000C7:SSL routines::peer did not return a certificate".to_owned()
        }
        Error::InvalidCertificate(reason) => {
            format!("error:0A000086:SSL routines::certificate verify failed ({})", certificate(reason))
        }
        Error::PeerIncompatible(
            PeerIncompatible::NoCipherSuitesInCommon | PeerIncompatible::NoKxGroupsInCommon,
        ) => "error:0A0000C1:SSL routines::no shared cipher".to_owned(),
        Error::PeerIncompatible(
            PeerIncompatible::SupportedVersionsExtensionRequired
            | PeerIncompatible::ServerDoesNotSupportTls12Or13
            // What older versions lack, and is looked at first.
            | PeerIncompatible::SignatureAlgorithmsExtensionRequired
            | PeerIncompatible::Tls12NotOffered
            | PeerIncompatible::Tls12NotOfferedOrEnabled
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => "error:0A000102:SSL routines::unsupported protocol".to_owned(),
        Error::AlertReceived(alert) => received(u8::from(*alert)),
        other => other.to_string(),
    }
}

fn certificate(reason: &CertificateError) -> String {
    match reason {
        CertificateError::UnknownIssuer => "not issued by a CA that we trust".to_owned(),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "not valid yet".to_owned()
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            "not meant for this side of a connection".to_owned()
        }
        CertificateError::BadEncoding => "damaged".to_owned(),
        CertificateError::Other(other) => other.to_string(),
        other => format!("{other:?}"),
    }
}

/// Names and numbers of alerts (RFC 8446, section 6), by the protocol version that brought them.
fn received(alert: u8) -> String {
    let name = match alert {
        10 => "sslv3 alert unexpected message",
        20 => "sslv3 alert bad record mac",
        40 => "sslv3 alert handshake failure",
        42 => "sslv3 alert bad certificate",
        43 => "sslv3 alert unsupported certificate",
        44 => "sslv3 alert certificate revoked",
        45 => "sslv3 alert certificate expired",
        46 => "sslv3 alert certificate unknown",
        47 => "sslv3 alert illegal parameter",
        48 => "tlsv1 alert unknown ca",
        49 => "tlsv1 alert access denied",
        50 => "tlsv1 alert decode error",
        51 => "tlsv1 alert decrypt error",
        70 => "tlsv1 alert protocol version",
        71 => "tlsv1 alert insufficient security",
        80 => "tlsv1 alert internal error",
        90 => "tlsv1 alert user cancelled",
        116 => "tlsv13 alert certificate required",
        other => {
            return format!(
                "error:{:08X}:SSL routines::alert {other}",
                0x0A00_0000 + 1000 + u32::from(other)
            );
        }
    };
    format!("error:{:08X}:SSL routines::{name}", 0x0A00_0000 + 1000 + u32::from(alert))
}

#[cfg(test)]
mod tests {
    use rustls::AlertDescription;

    use super::*;

    #[test]
    fn errors_have_the_words_and_numbers_of_openssl() {
        let missing = io::Error::from_raw_os_error(2);
        assert_eq!(system(&missing), "error:80000002:system library::No such file or directory");
        let alert = text(&Error::AlertReceived(AlertDescription::UnknownCA));
        assert_eq!(alert, "error:0A000418:SSL routines::tlsv1 alert unknown ca");
        let refused = broken(&Error::InvalidCertificate(CertificateError::Expired));
        assert!(is_disagreement(&refused) && refused.to_string().ends_with("verify failed (expired)"));
        assert!(!is_disagreement(&missing));
    }
}

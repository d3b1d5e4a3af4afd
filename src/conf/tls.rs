//! What the `tls-…` directives say (spec 1 §4.2), as typed values. Whether the files can be used is found out by who opens them.

use std::time::Duration;

/// Whether clients that connect by TLS show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthClients {
    /// They are not asked for one.
    No,
    /// Without one that we trust they are turned away.
    Yes,
    /// They need none, but one that they show must be trusted.
    Optional,
}

/// A certificate and its private key.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPair {
    /// PEM file with the certificate, and those between it and the CA.
    pub cert_file: Option<String>,
    /// PEM file with the key.
    pub key_file: Option<String>,
    /// What the key is encrypted with.
    pub key_pass: Option<Vec<u8>>,
}

/// Everything about TLS.
#[derive(Clone, Debug, PartialEq)]
pub struct TlsSettings {
    /// Port for clients that speak TLS; 0: none.
    pub port: u16,
    /// TLS on all outgoing connections.
    pub replication: bool,
    /// TLS on the cluster bus, which a Sentinel has not: it only asks for a TLS configuration.
    pub cluster: bool,
    /// Our certificate towards clients.
    pub own: KeyPair,
    /// Our certificate towards servers, if both of its files are set; otherwise it is `own`.
    pub client: KeyPair,
    /// PEM file with the certificates that we trust.
    pub ca_file: Option<String>,
    /// Folder of such files.
    pub ca_dir: Option<String>,
    /// See [`AuthClients`].
    pub auth_clients: AuthClients,
    /// Protocol versions, as written; unset: TLSv1.2 and TLSv1.3.
    pub protocols: Option<String>,
    /// Cipher suites of TLSv1.2 in OpenSSL's language; unset: all.
    pub ciphers: Option<String>,
    /// Names of cipher suites of TLSv1.3; unset: all.
    pub ciphersuites: Option<String>,
    /// Our order of cipher suites counts, not the client's.
    pub prefer_server_ciphers: bool,
    /// Clients may resume a session.
    pub session_caching: bool,
    /// How many sessions are kept; 0: as many as by default.
    pub session_cache_size: usize,
    /// For how long a session can be resumed.
    pub session_cache_timeout: Duration,
    /// Parameters of a key exchange that we do not offer.
    pub dh_params_file: Option<String>,
}

impl TlsSettings {
    /// True if TLS is used at all: otherwise nothing else here matters, or is even looked at.
    pub fn is_wanted(&self) -> bool {
        self.port != 0 || self.replication || self.cluster
    }
}

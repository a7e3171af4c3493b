//! Who a client certificate is issued to, as MongoDB names its users.
use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use crate::config::X509Users;

/// The short names that RFC 2253 and MongoDB have for attributes; others are told by their numbers.
const NAMES: &[(&str, &str)] = &[
    ("2.5.4.3", COMMON_NAME),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("0.9.2342.19200300.100.1.25", "DC"),
    ("0.9.2342.19200300.100.1.1", "UID"),
    ("1.2.840.113549.1.9.1", "emailAddress"),
];
const COMMON_NAME: &str = "CN";

/// The user that a certificate stands for; None if it stands for none, or has a name that is no text.
pub fn user(certificate: &CertificateDer<'_>, users: X509Users) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let user = match users {
        X509Users::Off => None,
        X509Users::Subject => subject(certificate.subject()),
        X509Users::CommonName => {
            let mut names = certificate.subject().iter_common_name();
            // Two names are two users.
            names.next().filter(|_| names.next().is_none())?.as_str().ok().map(str::to_owned)
        }
    };
    user.filter(|name| !name.is_empty())
}

/// The last part first, as RFC 2253 2.1 has it.
fn subject(name: &X509Name<'_>) -> Option<String> {
    let mut parts = Vec::new();
    for part in name.iter_rdn() {
        let attributes: Option<Vec<String>> = part.iter().map(attribute).collect();
        parts.push(attributes?.join("+"));
    }
    parts.reverse();
    Some(parts.join(","))
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> Option<String> {
    let number = attribute.attr_type().to_id_string();
    let name = NAMES.iter().find(|(known, _)| *known == number).map_or(number.as_str(), |(_, name)| name);
    Some(format!("{name}={}", escaped(attribute.as_str().ok()?)))
}

/// RFC 2253 2.4; bytes that are no printable ASCII by their number, as MongoDB and OpenSSL write them.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    let last = value.len().saturating_sub(1);
    for (at, byte) in value.bytes().enumerate() {
        let edge = (byte == b' ' && (at == 0 || at == last)) || (byte == b'#' && at == 0);
        if edge || matches!(byte, b',' | b'+' | b'"' | b'\\' | b'<' | b'>' | b';') {
            out.push('\\');
            out.push(char::from(byte));
        } else if (b' '..=b'~').contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("\\{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_as_rfc_2253_says() {
        assert_eq!(escaped("Sue, Grabbit+Runn"), "Sue\\, Grabbit\\+Runn");
        assert_eq!(escaped(" #x# "), "\\ #x#\\ ");
        assert_eq!(escaped("#1 \"a\" <b>;\\"), "\\#1 \\\"a\\\" \\<b\\>\\;\\\\");
        assert_eq!(escaped("Lu\u{10d}i\u{107}"), "Lu\\C4\\8Di\\C4\\87");
        assert_eq!(escaped(""), "");
    }
}

//! The messages of SCRAM-SHA-256 (RFC 5802, RFC 7677) as text. Knows no password and no key: PostgreSQL holds the
//! verifier and checks the proof.
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

/// What the client says first: `n,,n=user,r=nonce`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFirst {
    /// The user, unescaped.
    pub user: String,
    /// The client's part of the nonce.
    pub nonce: String,
    /// The channel-binding header, which the final message repeats in base64.
    pub header: String,
    /// The message without the header: the start of what is signed.
    pub bare: String,
}

/// What the client says last: `c=…,r=nonce,p=proof`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientFinal {
    /// The channel-binding header as repeated, decoded.
    pub header: Vec<u8>,
    /// The whole nonce.
    pub nonce: String,
    /// The proof in base64.
    pub proof: String,
    /// The message without the proof: the end of what is signed.
    pub without_proof: String,
}

impl ClientFirst {
    /// Reads the first message. Err names what is wrong with it.
    ///
    /// # Errors
    /// Anything but a SCRAM message without channel binding.
    pub fn parse(message: &[u8]) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(message).map_err(|_| "it is not UTF-8")?;
        let mut parts = text.splitn(3, ',');
        let (Some(binding), Some(authorize), Some(bare)) = (parts.next(), parts.next(), parts.next()) else {
            return Err("it has too few parts");
        };
        match binding {
            "n" | "y" => {}
            _ if binding.starts_with("p=") => return Err("channel binding is not supported"),
            _ => return Err("the channel binding flag is missing"),
        }
        if !authorize.is_empty() && !authorize.starts_with("a=") {
            return Err("the authorization identity is malformed");
        }
        let mut fields = bare.split(',');
        let name =
            fields.next().and_then(|field| field.strip_prefix("n=")).ok_or("the user name is missing")?;
        let nonce = fields.next().and_then(|field| field.strip_prefix("r=")).ok_or("the nonce is missing")?;
        if nonce.is_empty() {
            return Err("the nonce is empty");
        }
        let user = unescape(name)?;
        if user.is_empty() {
            return Err("the user name is empty");
        }
        // `a=` names whom to act for: only oneself.
        if let Some(other) = authorize.strip_prefix("a=")
            && unescape(other)? != user
        {
            return Err("the authorization identity is not the user");
        }
        Ok(Self {
            user,
            nonce: nonce.to_owned(),
            header: format!("{binding},{authorize},"),
            bare: bare.to_owned(),
        })
    }
}

impl ClientFinal {
    /// Reads the last message. Err names what is wrong with it.
    ///
    /// # Errors
    /// Anything but a final message with a proof.
    pub fn parse(message: &[u8]) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(message).map_err(|_| "it is not UTF-8")?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or("the proof is missing")?;
        let mut fields = without_proof.split(',');
        let header =
            fields.next().and_then(|field| field.strip_prefix("c=")).ok_or("the header is missing")?;
        let nonce = fields.next().and_then(|field| field.strip_prefix("r=")).ok_or("the nonce is missing")?;
        let header = BASE64_STANDARD.decode(header).map_err(|_| "the header is not base64")?;
        BASE64_STANDARD.decode(proof).map_err(|_| "the proof is not base64")?;
        Ok(Self {
            header,
            nonce: nonce.to_owned(),
            proof: proof.to_owned(),
            without_proof: without_proof.to_owned(),
        })
    }
}

/// What we answer to the first message.
pub fn server_first(nonce: &str, salt: &str, iterations: i32) -> String {
    format!("r={nonce},s={salt},i={iterations}")
}

/// `=2C` is a comma and `=3D` an equals sign; nothing else may follow an equals sign.
fn unescape(name: &str) -> Result<String, &'static str> {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('=') {
        out.push_str(before);
        if let Some(tail) = after.strip_prefix("2C") {
            out.push(',');
            rest = tail;
        } else if let Some(tail) = after.strip_prefix("3D") {
            out.push('=');
            rest = tail;
        } else {
            return Err("the user name is escaped wrongly");
        }
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_7677() {
        let first = ClientFirst::parse(b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO").unwrap();
        assert_eq!((first.user.as_str(), first.nonce.as_str()), ("user", "rOprNGfwEbeRWgbNEkqO"));
        assert_eq!(first.bare, "n=user,r=rOprNGfwEbeRWgbNEkqO");
        assert_eq!(first.header, "n,,");
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        assert_eq!(
            server_first(nonce, "W22ZaJ0SNY7soEsUEjb6gQ==", 4096),
            format!("r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
        );
        let text = format!("c=biws,r={nonce},p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        let last = ClientFinal::parse(text.as_bytes()).unwrap();
        assert_eq!(last.header, b"n,,");
        assert_eq!(last.nonce, nonce);
        assert_eq!(last.proof, "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
        assert_eq!(last.without_proof, format!("c=biws,r={nonce}"));
    }

    #[test]
    fn names_are_unescaped_and_nonces_may_be_long() {
        let nonce = "x".repeat(5000);
        let first = ClientFirst::parse(format!("y,,n=a=2Cb=3Dc,r={nonce},ext=1").as_bytes()).unwrap();
        assert_eq!(first.user, "a,b=c");
        assert_eq!(first.nonce, nonce);
        assert!(ClientFirst::parse(b"n,a=me,n=me,r=x").is_ok());
    }

    #[test]
    fn wrong_first_messages() {
        for wrong in [
            &b""[..],
            b"n,,",
            b"n,,n=,r=x",
            b"n,,n=u",
            b"n,,n=u,r=",
            b"n,,n=a=b,r=x",
            b"p=tls-unique,,n=u,r=x",
            b"z,,n=u,r=x",
            b"n,a=other,n=u,r=x",
            b"n,,n=\xff,r=x",
        ] {
            assert!(ClientFirst::parse(wrong).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
    }

    #[test]
    fn wrong_final_messages() {
        for wrong in
            [&b""[..], b"c=biws,r=x", b"c=biws,p=AAAA", b"r=x,p=AAAA", b"c=!,r=x,p=AAAA", b"c=biws,r=x,p=!"]
        {
            assert!(ClientFinal::parse(wrong).is_err(), "{}", String::from_utf8_lossy(wrong));
        }
    }
}

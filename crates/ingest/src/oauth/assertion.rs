//! The signed statement by which a Google service account asks for a token (RFC 7523, JWT with RS256).

use data_encoding::BASE64URL_NOPAD;
use jiff::Timestamp;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

/// It is good for so many seconds: the most that Google takes.
const LIFETIME: i64 = 3600;

/// The part that matters of the file that Google gives out.
#[derive(Deserialize)]
struct Key {
    client_email: String,
    private_key: SecretString,
    private_key_id: Option<String>,
}

/// States that the owner of the key in `file` (its JSON) acts for `user`.
///
/// # Errors
/// The file holds no such key; nothing of it is repeated.
pub(super) fn assertion(
    file: &str,
    user: &str,
    scope: &str,
    audience: &str,
    now: Timestamp,
) -> Result<SecretString, &'static str> {
    let key: Key = serde_json::from_str(file)
        .map_err(|_| "it is no JSON key of a service account (with client_email and private_key)")?;
    let private = PKey::private_key_from_pem(key.private_key.expose_secret().as_bytes())
        .map_err(|_| "its private_key cannot be read")?;
    let head = json!({ "alg": "RS256", "typ": "JWT", "kid": key.private_key_id });
    let issued = now.as_second();
    let claims = json!({
        "iss": key.client_email,
        "sub": user,
        "scope": scope,
        "aud": audience,
        "iat": issued,
        "exp": issued + LIFETIME,
    });
    let part = |json: &serde_json::Value| BASE64URL_NOPAD.encode(json.to_string().as_bytes());
    let signed = format!("{}.{}", part(&head), part(&claims));
    let signature = Signer::new(MessageDigest::sha256(), &private)
        .and_then(|mut signer| signer.sign_oneshot_to_vec(signed.as_bytes()))
        .map_err(|_| "its private_key does not sign by RSA")?;
    Ok(format!("{signed}.{}", BASE64URL_NOPAD.encode(&signature)).into())
}

#[cfg(test)]
mod tests {
    use openssl::rsa::Rsa;
    use openssl::sign::Verifier;

    use super::*;

    #[test]
    fn it_is_signed_by_the_key_and_says_for_whom() {
        let rsa = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        let pem = String::from_utf8(rsa.private_key_to_pem_pkcs8().unwrap()).unwrap();
        let file = json!({ "client_email": "robot@p.example", "private_key": pem, "private_key_id": "k1" });
        let now = "2026-11-01T08:00:00Z".parse().unwrap();
        let stated =
            assertion(&file.to_string(), "ada@example.org", "mail", "https://t.example/token", now).unwrap();
        let stated = stated.expose_secret();
        let (signed, signature) = stated.rsplit_once('.').unwrap();
        let mut verifier = Verifier::new(MessageDigest::sha256(), &rsa).unwrap();
        let signature = BASE64URL_NOPAD.decode(signature.as_bytes()).unwrap();
        assert!(verifier.verify_oneshot(&signature, signed.as_bytes()).unwrap());
        let claims = BASE64URL_NOPAD.decode(signed.split('.').nth(1).unwrap().as_bytes()).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
        assert_eq!((&claims["sub"], &claims["iss"]), (&json!("ada@example.org"), &json!("robot@p.example")));
        assert_eq!((&claims["iat"], &claims["exp"]), (&json!(1_793_520_000), &json!(1_793_523_600)));
    }

    #[test]
    fn a_file_that_is_no_key_is_told_without_repeating_it() {
        let now = Timestamp::UNIX_EPOCH;
        for file in ["", "{}", "canary", r#"{"client_email":"a","private_key":"canary"}"#] {
            let error = assertion(file, "u", "s", "a", now).unwrap_err();
            assert!(!error.contains("canary"), "{error}");
        }
    }
}

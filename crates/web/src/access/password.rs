//! Passwords: Argon2id hashes in PHC form.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

/// Hash of a password nobody has: what an unknown name is compared with, so that both take as long.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$dmlnaWUtbm9ib2R5IQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// Hashes a password with a new salt, for `password_hash`.
///
/// # Errors
/// The system gives no random bytes.
pub fn hash(password: &str) -> Result<String, String> {
    Argon2::default().hash_password(password.as_bytes()).map(|h| h.to_string()).map_err(|e| e.to_string())
}

/// Whether `hash` has a form that can be used.
#[must_use]
pub fn is_hash(hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|h| h.algorithm.as_str().starts_with("argon2") && h.hash.is_some())
}

/// Whether this is the password. Takes tens of milliseconds and 19 MiB, also when there is no hash.
#[must_use]
pub(super) fn verify(password: &str, hash: Option<&str>) -> bool {
    let Ok(parsed) = PasswordHash::new(hash.unwrap_or(NOBODY)) else { return false };
    Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok() && hash.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_is_it() {
        let hashed = hash("canary").unwrap();
        assert!(is_hash(&hashed) && is_hash(NOBODY));
        assert!(hashed.starts_with("$argon2id$"));
        assert!(verify("canary", Some(&hashed)));
        assert!(!verify("Canary", Some(&hashed)));
        assert!(!verify("canary", None));
        assert!(!verify("", Some("")));
        assert!(!is_hash("secret") && !is_hash("$argon2id$"));
    }
}

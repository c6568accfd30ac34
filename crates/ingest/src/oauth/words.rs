//! What a person does about a refusal. Pure.

use vigie_common::config::{Flow, Provider};

use super::answer::Refusal;

/// What to do about `refusal`; `account` is the id that the command line takes.
pub(super) fn advice(refusal: &Refusal, provider: Provider, flow: Flow, account: &str) -> String {
    let again = format!("run `vigie-ingest login {account}`");
    if provider == Provider::Microsoft
        && let Some(code) = aadsts(&refusal.description)
        && let Some(known) = microsoft(code, &again)
    {
        return known;
    }
    match refusal.error.as_str() {
        "invalid_grant" if flow.needs_login() => {
            format!("the login has expired, was revoked, or ended with a changed password: {again}")
        }
        "invalid_grant" if flow == Flow::ServiceAccount => {
            "check that `user` exists, that the key_file is still valid, and this machine's clock".into()
        }
        "invalid_client" => "client_id and client secret do not belong together: check both".into(),
        "deleted_client" => "the application was deleted at the provider: register another one".into(),
        "unauthorized_client" if flow == Flow::ServiceAccount => {
            "an administrator has to allow the service account's client id this scope for the whole domain (domain-wide delegation)".into()
        }
        "unauthorized_client" => {
            "the application may not do this: allow this flow where it is registered".into()
        }
        "invalid_scope" => "the provider does not know this `scope`, or does not give it to this application".into(),
        "admin_policy_enforced" | "org_internal" => "an administrator of the domain has to allow this application".into(),
        "access_denied" | "authorization_declined" => format!("somebody said no on the provider's page: {again}"),
        "expired_token" => format!("nobody typed the code in time: {again}"),
        "consent_required" | "interaction_required" | "login_required" => {
            format!("the provider wants a person to agree: {again}")
        }
        _ => format!("check [account.oauth2], then {again}"),
    }
}

/// The number in `AADSTS700082: ...`.
fn aadsts(description: &str) -> Option<u32> {
    let (_, rest) = description.split_once("AADSTS")?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).take(9).collect();
    digits.parse().ok()
}

/// <https://learn.microsoft.com/entra/identity-platform/reference-error-codes>
fn microsoft(code: u32, again: &str) -> Option<String> {
    Some(match code {
        50_173 | 70_008 | 70_043 | 700_082 | 700_084 => format!("the login has expired or was revoked: {again}"),
        50_074 | 50_076 | 50_078 | 50_079 => format!("the provider wants a second factor: {again}"),
        53_000..=53_011 | 530_003 | 530_036 => {
            "a Conditional Access policy of the directory forbids this: ask its administrator, or try another `flow`".into()
        }
        65_001 | 65_004 | 90_094 => {
            "nobody has agreed yet that the application reads this mail: an administrator grants it IMAP.AccessAsUser.All (IMAP.AccessAsApp for client_credentials)".into()
        }
        700_016 => "the directory has no application of this `client_id`: check it, and `tenant`".into(),
        7_000_215 => "the client secret is wrong: it is the secret's value, not its id".into(),
        7_000_222 => "the client secret has expired: make a new one where the application is registered".into(),
        7_000_218 => "the application is registered as one with a secret: set client_secret_file, or allow public client flows where it is registered".into(),
        700_025 => "the application is registered as one without a secret: remove the client secret".into(),
        90_002 | 900_023 => "there is no such directory: check `tenant`".into(),
        9_002_331 | 9_002_346 => "the application is for personal accounts: set tenant = \"consumers\"".into(),
        50_194 => "the application is for one directory: set `tenant` to it".into(),
        50_020 | 50_034 | 50_057 => "the directory has no such user, or it is disabled: check `user` and `tenant`".into(),
        28_002 | 28_003 | 70_011 | 1_002_012 => "this `scope` is not given out so: leave it out for what is usual".into(),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_says_what_to_do() {
        let told = |error: &str, description: &str, provider, flow| {
            advice(&Refusal { error: error.into(), description: description.into() }, provider, flow, "a")
        };
        for (error, description, flow, said) in [
            ("invalid_grant", "AADSTS700082: inactive", Flow::Device, "run `vigie-ingest login a`"),
            ("invalid_client", "AADSTS7000222: keys", Flow::ClientCredentials, "secret has expired"),
            ("invalid_grant", "AADSTS65001: consent", Flow::Device, "administrator grants"),
            ("invalid_grant", "AADSTS1: new", Flow::Device, "revoked"),
            ("x", "AADSTS99999999999999", Flow::Device, "check [account.oauth2]"),
        ] {
            let text = told(error, description, Provider::Microsoft, flow);
            assert!(text.contains(said), "{text}");
        }
        let text = told("unauthorized_client", "", Provider::Google, Flow::ServiceAccount);
        assert!(text.contains("domain-wide delegation"), "{text}");
    }
}

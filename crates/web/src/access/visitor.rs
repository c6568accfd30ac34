//! Who sent a request, as handlers see it.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use vigie_common::config::Role;

use super::users::User;
use crate::Problem;

/// Who sent a request; an extractor that answers 401 where nobody is known.
#[derive(Debug, Clone)]
pub struct Visitor {
    name: Option<Arc<str>>,
    role: Role,
    /// None: all.
    accounts: Option<Arc<[String]>>,
    csrf: Arc<str>,
}

impl Visitor {
    /// An operator who needs no name: from this machine while no user exists, or over the Unix socket.
    pub(super) fn local() -> Self {
        Self { name: None, role: Role::Operator, accounts: None, csrf: "".into() }
    }

    pub(super) fn of(user: &User) -> Self {
        let all = user.accounts.iter().any(|account| account == "*");
        let accounts = if all { None } else { Some(user.accounts.clone().into()) };
        Self { name: Some(user.name.as_str().into()), role: user.role, accounts, csrf: "".into() }
    }

    pub(super) fn with_csrf(mut self, csrf: &str) -> Self {
        self.csrf = csrf.into();
        self
    }

    /// Login name; `None` where none was needed.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// What the visitor may do.
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whether the visitor may see an account.
    #[must_use]
    pub fn sees(&self, account: &str) -> bool {
        self.accounts.as_ref().is_none_or(|accounts| accounts.iter().any(|a| a == account))
    }

    /// Whether the visitor may read whatever there is: alarms name accounts, and repeat what servers say.
    #[must_use]
    pub fn reads_everything(&self) -> bool {
        self.role >= Role::Reader && self.accounts.is_none()
    }

    /// The accounts that the visitor may see; `None` for all.
    #[must_use]
    pub fn accounts(&self) -> Option<&[String]> {
        self.accounts.as_deref()
    }

    /// The token that each change of this session must carry: form field `csrf`, or header `x-csrf-token`.
    #[must_use]
    pub fn csrf(&self) -> &str {
        &self.csrf
    }

    /// # Errors
    /// 403 when the visitor's role is less.
    pub fn at_least(&self, role: Role) -> Result<(), Problem> {
        if self.role >= role {
            return Ok(());
        }
        Err(Problem::forbidden(format!(
            "this takes the role `{}`, yours is `{}`",
            role.as_str(),
            self.role.as_str()
        )))
    }
}

impl<S: Sync> FromRequestParts<S> for Visitor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::unauthenticated)
    }
}

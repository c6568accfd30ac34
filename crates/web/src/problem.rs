//! Errors of an API as `application/problem+json` (RFC 9457).

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use vigie_common::text::inert;

/// What went wrong with a request, for whoever sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem(Box<Members>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Members {
    /// URI reference that stays the same for this kind of problem.
    #[serde(rename = "type")]
    kind: String,
    /// The kind in a few words.
    title: String,
    /// HTTP status.
    status: u16,
    /// What is wrong with this request, and what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Parameters at fault.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ParameterError>,
    /// Path of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<String>,
    /// Names the request in the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

/// A parameter at fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct ParameterError {
    /// Its name.
    parameter: String,
    /// What is wrong with it.
    message: String,
}

impl Problem {
    /// A problem of a kind: `slug` names it in the `type`, `/problems/<slug>`.
    #[must_use]
    pub fn new(status: StatusCode, slug: &str, title: &str) -> Self {
        Self(Box::new(Members {
            kind: format!("/problems/{slug}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: None,
            errors: Vec::new(),
            instance: None,
            request_id: None,
        }))
    }

    /// Says what is wrong with this request.
    #[must_use]
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Names a parameter at fault.
    #[must_use]
    pub fn parameter(mut self, parameter: impl Into<String>, message: impl Into<String>) -> Self {
        self.0.errors.push(ParameterError { parameter: parameter.into(), message: message.into() });
        self
    }

    /// Names the request, for whoever reads the log.
    #[must_use]
    pub fn about(mut self, path: &str, request_id: &str) -> Self {
        self.0.instance = Some(path.to_owned());
        self.0.request_id = Some(request_id.to_owned());
        self
    }

    /// HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// 400: a parameter cannot be used.
    #[must_use]
    pub fn bad_parameter(parameter: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad-parameter", "A parameter cannot be used")
            .parameter(parameter, message)
    }

    /// 401: nobody is logged in.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "not-logged-in", "Nobody is logged in").detail("log in at /login")
    }

    /// 403: this visitor may not.
    #[must_use]
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", "Not allowed").detail(detail)
    }

    /// 404: no such thing.
    #[must_use]
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", "No such thing").detail(detail)
    }

    /// 405.
    #[must_use]
    pub fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method-not-allowed", "This cannot be done to that")
    }

    /// 409: not in the present state.
    #[must_use]
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", "Not in the present state").detail(detail)
    }

    /// 503: for a while.
    #[must_use]
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", "Not now").detail(detail)
    }

    /// 500: a fault of ours. `cause` goes to the log, not to the client.
    #[must_use]
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed by a fault of ours");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "A fault of ours")
            .detail("the log has the cause")
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let body = serde_json::to_vec(&self.0).unwrap_or_default();
        let kind = HeaderValue::from_static("application/problem+json");
        let mut response = (status, [(header::CONTENT_TYPE, kind)], body).into_response();
        // Whoever knows the request completes it.
        response.extensions_mut().insert(self);
        response
    }
}

/// The parameters of a query; an extractor that answers 400 with a problem where they do not fit.
#[derive(Debug, Clone, Copy)]
pub struct Parameters<T>(pub T);

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(parameters)) => Ok(Self(parameters)),
            Err(rejection) => {
                let fault = inert(&rejection.body_text(), 300);
                Err(Problem::new(StatusCode::BAD_REQUEST, "bad-parameter", "A parameter cannot be used")
                    .detail(fault))
            }
        }
    }
}

/// Answers for what a router does not have.
pub fn fallbacks(router: axum::Router) -> axum::Router {
    router
        .fallback(|| async { Problem::not_found("there is nothing at this address") })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_known_is_told() {
        let problem = Problem::bad_parameter("tz", "unknown time zone `Mars`");
        assert_eq!(
            serde_json::to_string(&problem.0).unwrap(),
            r#"{"type":"/problems/bad-parameter","title":"A parameter cannot be used","status":400,"errors":[{"parameter":"tz","message":"unknown time zone `Mars`"}]}"#
        );
    }
}

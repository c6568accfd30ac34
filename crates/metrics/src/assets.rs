//! The front end that is built in: none yet.

use axum::Router;
use axum::routing::MethodRouter;

/// `/` and `/assets/**`. When no front end was built in, `/` is `without_script`.
pub fn routes<S>(without_script: MethodRouter<S>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    Router::new().route("/", without_script)
}

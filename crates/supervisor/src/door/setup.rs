//! `/setup`: the first operator, made over the network by whoever can read the output of this start.
//!
//! The link is new at each start, lasts an hour, and is spent by the POST that uses it. It goes to stderr alone,
//! not through the log.

use std::fs;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use serde::Deserialize;
use tokio::time::Instant;
use vigie_common::text::inert;
use vigie_web::access::{self, Token};
use vigie_web::token::same;
use vigie_web::{Parameters, Problem};

use super::Door;

/// A link lasts for so long.
const LASTS: Duration = Duration::from_secs(3600);
/// Characters of a password at least.
const SHORTEST: usize = 10;
/// Characters of a password at most.
const LONGEST: usize = 1024;

/// The link of this start.
#[derive(Clone)]
pub struct Setup {
    file: PathBuf,
    /// None: spent.
    link: Arc<Mutex<Option<Link>>>,
}

struct Link {
    token: String,
    until: Instant,
}

impl Setup {
    /// A new link; `data` is the data folder, where `users.toml` will be.
    #[must_use]
    pub fn new(data: &Path) -> Self {
        let token = rand::random::<[u8; 32]>().iter().map(|byte| format!("{byte:02x}")).collect();
        let link = Link { token, until: Instant::now() + LASTS };
        Self { file: data.join("users.toml"), link: Arc::new(Mutex::new(Some(link))) }
    }

    /// The path and query of the link, for the person who reads stderr.
    #[must_use]
    pub fn path(&self) -> Option<String> {
        let link = self.link.lock().ok()?;
        link.as_ref().map(|link| format!("/setup?token={}", link.token))
    }

    fn is_good(&self, token: &str) -> bool {
        let Ok(link) = self.link.lock() else { return false };
        link.as_ref().is_some_and(|link| Instant::now() < link.until && same(&link.token, token))
    }

    /// Writes `users.toml`, never over one that is there.
    fn write(&self, name: &str, hash: &str) -> std::io::Result<()> {
        let mut new = self.file.clone();
        new.set_extension(format!("toml.{}", std::process::id()));
        let written = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)
            .and_then(|mut file| {
                file.write_all(access::first_operator(name, hash).as_bytes())?;
                file.sync_all()
            })
            .and_then(|()| fs::hard_link(&new, &self.file));
        let removed = fs::remove_file(&new);
        written.and(removed)?;
        match self.file.parent() {
            Some(folder) => fs::File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }
}

#[derive(Template)]
#[template(path = "setup.html")]
struct Page<'a> {
    csrf: &'a str,
    token: &'a str,
    name: &'a str,
    fault: Option<&'a str>,
    shortest: usize,
}

#[derive(Deserialize)]
pub(super) struct Followed {
    #[serde(default)]
    token: String,
}

#[derive(Deserialize)]
pub(super) struct Given {
    #[serde(default)]
    token: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
}

pub(super) async fn form(
    State(door): State<Door>,
    Parameters(followed): Parameters<Followed>,
    Extension(Token(csrf)): Extension<Token>,
) -> Response {
    if let Err(problem) = may(&door, &followed.token) {
        return problem.into_response();
    }
    let token = &followed.token;
    page(StatusCode::OK, &Page { csrf: &csrf, token, name: "admin", fault: None, shortest: SHORTEST })
}

pub(super) async fn set(
    State(door): State<Door>,
    Extension(Token(csrf)): Extension<Token>,
    Form(given): Form<Given>,
) -> Response {
    if let Err(problem) = may(&door, &given.token) {
        return problem.into_response();
    }
    let again = |fault: &str| {
        let (token, name) = (given.token.as_str(), given.name.as_str());
        page(
            StatusCode::UNPROCESSABLE_ENTITY,
            &Page { csrf: &csrf, token, name, fault: Some(fault), shortest: SHORTEST },
        )
    };
    if !access::is_name(&given.name) {
        return again("A name has 1 to 64 letters, digits, or . _ - @ +");
    }
    let length = given.password.chars().count();
    if !(SHORTEST..=LONGEST).contains(&length) {
        return again(&format!("A password has at least {SHORTEST} characters."));
    }
    let password = given.password.clone();
    let hash = match tokio::task::spawn_blocking(move || access::hash_password(&password)).await {
        Ok(Ok(hash)) => hash,
        Ok(Err(error)) => return Problem::internal(error).into_response(),
        Err(error) => return Problem::internal(error).into_response(),
    };
    // Spent before it is used: of two at once one is first.
    let link =
        door.setup.link.lock().ok().and_then(|mut link| link.take_if(|link| same(&link.token, &given.token)));
    let Some(link) = link else { return Problem::conflict("the link has been used").into_response() };
    match door.setup.write(&given.name, &hash) {
        Ok(()) => {
            tracing::info!(user = inert(&given.name, 64), file = %door.setup.file.display(), "the first operator is set");
            Redirect::to("/login").into_response()
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Problem::conflict("users.toml is there already").into_response()
        }
        Err(error) => {
            if let Ok(mut slot) = door.setup.link.lock() {
                *slot = Some(link);
            }
            Problem::internal(format_args!("{}: {error}", door.setup.file.display())).into_response()
        }
    }
}

fn may(door: &Door, token: &str) -> Result<(), Problem> {
    if !door.access.needs_setup() {
        return Err(Problem::not_found("there is nothing at this address"));
    }
    if door.setup.is_good(token) {
        return Ok(());
    }
    Err(Problem::forbidden(
        "this link is not the one of this start, or is older than an hour: restart the supervisor, and open the link that it shows",
    ))
}

fn page(status: StatusCode, page: &Page<'_>) -> Response {
    match page.render() {
        Ok(html) => (status, Html(html)).into_response(),
        Err(error) => Problem::internal(error).into_response(),
    }
}

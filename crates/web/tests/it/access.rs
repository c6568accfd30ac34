//! Who is let through, and who is not.

use crate::face::{Answer, Face, loaded};
use vigie_web::Access;
use vigie_web::access::{first_operator, hash_password};

const LOCAL: &str = "127.0.0.1:2812";

fn ada(role: &str) -> String {
    let hash = hash_password("canary").unwrap();
    format!("[[user]]\nname = \"ada\"\npassword_hash = \"{hash}\"\nrole = \"{role}\"\n")
}

/// Logs in by the form, and returns the answer and the session's cookie.
async fn log_in(face: &Face, name: &str, password: &str) -> (Answer, String) {
    let form = face.get("/login", "").await;
    let fields = format!("csrf={}&name={name}&password={password}&next=%2Fservices", form.token());
    let answer = face.post("/login", &form.cookie(), &fields).await;
    let cookie = answer.cookie();
    (answer, cookie)
}

#[tokio::test]
async fn without_users_this_machine_is_an_operator_and_changes_need_origin_and_token() {
    let face = Face::start(LOCAL, "").await;
    let page = face.get("/", "").await;
    assert_eq!(page.status, 200);
    let token = page.body.strip_prefix("- operator ").expect(&page.body).to_owned();
    let (cookie, origin) = (page.cookie(), format!("Origin: http://{}\r\n", face.host()));
    let with = |origin: &str, cookie: &str| format!("{origin}Cookie: {cookie}\r\n");
    let good = format!("csrf={token}");

    assert_eq!(face.ask("POST /", &with(&origin, &cookie), &good).await.status, 200);
    // Each of the three is needed.
    assert_eq!(face.ask("POST /", &with("", &cookie), &good).await.status, 403);
    assert_eq!(
        face.ask("POST /", &with("Origin: http://evil.example\r\n", &cookie), &good).await.status,
        403
    );
    assert_eq!(face.ask("POST /", &with("Origin: null\r\n", &cookie), &good).await.status, 403);
    assert_eq!(face.ask("POST /", &with(&origin, &cookie), "csrf=").await.status, 403);
    assert_eq!(face.ask("POST /", &with(&origin, &cookie), "x=1").await.status, 403);
    assert_eq!(face.ask("POST /", &origin, &good).await.status, 403);
    let another = face.get("/", "").await;
    assert_eq!(face.ask("POST /", &with(&origin, &another.cookie()), &good).await.status, 403);
    // A script sends the token as a header.
    let header = format!("{}x-csrf-token: {token}\r\n", with(&origin, &cookie));
    assert_eq!(face.ask("POST /", &header, "").await.status, 200);
}

#[tokio::test]
async fn a_foreign_host_is_told_nothing() {
    let face = Face::start(LOCAL, "").await;
    for path in ["/", "/login", "/healthz", "/readyz", "/nowhere"] {
        let answer = face.get(path, "Host: evil.example\r\n").await;
        assert_eq!(answer.status, 421, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
}

/// What people type is the door's address, and the door hands their Host on.
#[tokio::test]
async fn a_face_behind_the_door_answers_to_the_hosts_of_the_door() {
    let behind = |door: &str, host: &'static str| {
        let config = format!("[supervisor]\nlisten = {door:?}\n");
        async move { Face::start(LOCAL, &config).await.get("/healthz", &format!("Host: {host}\r\n")).await }
    };
    assert_eq!(behind("0.0.0.0:2812", "192.0.2.1:2812").await.status, 200);
    assert_eq!(behind("[::]:2812", "[2001:db8::1]:2812").await.status, 200);
    assert_eq!(behind("0.0.0.0:2812", "evil.example:2812").await.status, 421);
    assert_eq!(behind("127.0.0.1:2812", "192.0.2.1:2812").await.status, 421);
    assert_eq!(behind("nonsense", "192.0.2.1:2812").await.status, 421);
}

#[tokio::test]
async fn behind_a_proxy_nobody_is_this_machine() {
    let face = Face::start(LOCAL, "").await;
    for header in ["X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.1", "X-Real-IP: 192.0.2.1"] {
        assert_eq!(face.get("/", &format!("{header}\r\n")).await.status, 403, "{header}");
    }
}

#[tokio::test]
async fn with_users_one_has_to_log_in() {
    let face = Face::start(LOCAL, &ada("reader")).await;
    let answer = face.get("/", "").await;
    assert_eq!(answer.status, 401);
    assert!(answer.body.contains("\"instance\":\"/\",\"request_id\":\""), "{}", answer.body);
    let page = face.get("/?a=b", "Accept: text/html\r\n").await;
    assert_eq!((page.status, page.header("location")), (303, Some("/login?next=%2F%3Fa%3Db")));
    assert_eq!(face.get("/healthz", "").await.body, r#"{"status":"ok","version":"1.2.3"}"#);
    assert_eq!(face.get("/readyz", "").await.body, r#"{"ready":false}"#);

    let (wrong, none) = log_in(&face, "ada", "Canary").await;
    assert_eq!((wrong.status, none.as_str()), (403, ""));
    assert!(!wrong.body.contains("Canary"), "{}", wrong.body);
    let (right, cookie) = log_in(&face, "ada", "canary").await;
    assert_eq!((right.status, right.header("location")), (303, Some("/services")));
    let set = right.header("set-cookie").unwrap();
    assert!(set.contains("HttpOnly; SameSite=Strict"), "{set}");
    let page = face.get("/", &format!("Cookie: {cookie}\r\n")).await;
    assert!(page.body.starts_with("ada reader "), "{}", page.body);
    assert!(face.get("/readyz", &format!("Cookie: {cookie}\r\n")).await.body.contains("\"alarms\":[]"));

    let token = page.body.strip_prefix("ada reader ").unwrap();
    let out = face.post("/logout", &cookie, &format!("csrf={token}")).await;
    assert_eq!((out.status, out.cookie().as_str()), (303, "vigie="));
}

#[tokio::test]
async fn alarms_are_for_those_who_may_read_everything() {
    for (role, accounts, told) in [("charts", "*", false), ("reader", "a", false), ("reader", "*", true)] {
        let user = format!("{}accounts = [\"{accounts}\"]\n", ada(role));
        let face = Face::start(LOCAL, &user).await;
        let (_, cookie) = log_in(&face, "ada", "canary").await;
        let ready = face.get("/readyz", &format!("Cookie: {cookie}\r\n")).await;
        assert_eq!(ready.body.contains("alarms"), told, "{role} {accounts}: {}", ready.body);
    }
}

#[tokio::test]
async fn guessing_is_slowed_down() {
    let face = Face::start(LOCAL, &ada("reader")).await;
    for _ in 0..5 {
        assert_eq!(log_in(&face, "ada", "guess").await.0.status, 403);
    }
    let (answer, _) = log_in(&face, "ada", "canary").await;
    assert_eq!(answer.status, 429);
    assert!(answer.header("retry-after").unwrap().parse::<u32>().unwrap() <= 60);
}

#[tokio::test]
async fn another_password_ends_the_session() {
    let face = Face::start(LOCAL, "").await;
    let write = |password: &str| {
        let users = first_operator("ada", &hash_password(password).unwrap());
        std::fs::write(face.folder.path().join("users.toml"), users).unwrap();
    };
    write("canary");
    let (_, cookie) = log_in(&face, "ada", "canary").await;
    let cookie = format!("Cookie: {cookie}\r\n");
    assert_eq!(face.get("/", &cookie).await.status, 200);
    write("another");
    assert_eq!(face.get("/", &cookie).await.status, 401);
}

#[tokio::test]
async fn before_the_first_password_there_is_nothing_but_the_set_up() {
    let face = Face::start("0.0.0.0:2812", "[web]\nsetup = true\ninsecure_http = true\n").await;
    assert_eq!(face.get("/healthz", "").await.status, 200);
    assert_eq!(face.get("/setup", "").await.status, 404);
    for path in ["/", "/login", "/readyz", "/api/v1/summary"] {
        assert_eq!(face.get(path, "").await.status, 503, "{path}");
    }
}

#[tokio::test]
async fn answers_carry_the_headers_that_a_browser_needs() {
    let face = Face::start(LOCAL, "").await;
    let answer = face.get("/", "").await;
    assert!(
        answer
            .header("content-security-policy")
            .unwrap()
            .starts_with("default-src 'none'; script-src 'self'")
    );
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    assert!(answer.header("access-control-allow-origin").is_none());
}

#[tokio::test]
async fn a_problem_written_anew_is_not_called_compressed() {
    let face = Face::start(LOCAL, "").await;
    let answer = face.get("/compressed", "").await;
    assert_eq!((answer.status, answer.header("content-encoding")), (404, None));
    assert!(answer.body.contains("no such sender") && answer.body.contains("/compressed"), "{}", answer.body);
}

#[test]
fn a_face_that_others_reach_needs_a_user_and_encryption() {
    let folder = tempfile::tempdir().unwrap();
    let open = |listen: &str, config: &str| {
        let opened = Access::open(&loaded(folder.path(), config), listen.parse().unwrap());
        opened.map(|_| ()).map_err(|error| error.to_string())
    };
    let origin = "[web]\norigin = \"https://mail.example.org\"\n";
    assert!(open("0.0.0.0:1", "").unwrap_err().contains("add a [[user]]"));
    assert!(open(LOCAL, origin).unwrap_err().contains("add a [[user]]"));
    assert!(open("0.0.0.0:1", &ada("reader")).unwrap_err().contains("insecure_http"));
    let plain = format!("[web]\ninsecure_http = true\n{}", ada("reader"));
    assert_eq!(open("0.0.0.0:1", &plain), Ok(()));
    assert_eq!(open(LOCAL, &format!("{origin}{}", ada("reader"))), Ok(()));
    assert_eq!(open(LOCAL, ""), Ok(()));
}

#[tokio::test]
async fn over_https_the_cookie_never_travels_in_the_clear() {
    let config = format!("[web]\norigin = \"https://mail.example.org\"\n{}", ada("operator"));
    let face = Face::start(LOCAL, &config).await;
    let form = face.get("/login", "Host: mail.example.org\r\n").await;
    let set = form.header("set-cookie").unwrap();
    assert!(set.starts_with("__Host-vigie=") && set.ends_with("; Secure"), "{set}");
    let fields = format!("csrf={}&name=ada&password=canary", form.token());
    let headers = format!(
        "Host: mail.example.org\r\nOrigin: https://mail.example.org\r\nCookie: {}\r\n",
        form.cookie()
    );
    assert_eq!(face.ask("POST /login", &headers, &fields).await.status, 303);
}

//! The page for those without script, or where no front end was built in: the server's drawings, and how to get more.

use axum::response::Html;

/// Series that are drawn, and what is asked of them.
const DRAWN: [(&str, &str); 9] = [
    ("messages", "group_by=account&amp;limit=8"),
    ("bytes", ""),
    ("hours", ""),
    ("sizes", ""),
    ("senders", ""),
    ("delay", ""),
    ("host_cpu", "from=now-1d"),
    ("host_memory", "from=now-1d"),
    ("host_network", "from=now-1d"),
];

/// Why there is no more than this.
const NOTE: &str = "This program was built without its dashboard: install Node.js with npm and build it again. The charts below are drawn by the server.";

/// The page.
pub async fn without_script() -> Html<String> {
    Html(html(NOTE))
}

fn html(note: &str) -> String {
    let pictures: String = DRAWN
        .iter()
        .map(|(metric, query)| {
            let source = format!("/api/v1/series/{metric}.svg?{query}&amp;width=800&amp;height=300");
            format!(
                "<section class=\"card\"><a href=\"/api/v1/series/{metric}.csv?{query}\"><img src=\"{source}\" width=\"100%\" alt=\"{metric}, as a chart; the link leads to its numbers\"></a></section>\n"
            )
        })
        .collect();
    format!(
        "<!doctype html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width\">
<meta http-equiv=\"refresh\" content=\"60\">
<title>Vigie</title>
<link rel=\"stylesheet\" href=\"/login/style.css\">
</head>
<body>
<main class=\"wide\">
<h1>Vigie</h1>
<p class=\"soft\">{}</p>
<p><a href=\"/services\">Services</a>, <a href=\"/api/v1/summary\">summary</a>, <a href=\"/api/v1/mailboxes\">mailboxes</a>, <a href=\"/api/v1/senders\">senders</a>, <a href=\"/api/v1/host\">host</a></p>
{pictures}</main>
</body>
</html>
",
        escaped(note)
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::html;

    #[test]
    fn the_note_is_text() {
        let page = html("install npm & <b>build</b>");
        assert!(page.contains("<p class=\"soft\">install npm &amp; &lt;b&gt;build&lt;/b&gt;</p>"));
        assert!(page.contains("/api/v1/series/hours.svg") && !page.contains("<script"));
        // It looks like the other pages that are made by the server.
        assert!(page.contains("href=\"/login/style.css\"") && page.contains("class=\"card\""));
    }
}

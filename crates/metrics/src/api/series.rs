//! `/api/v1/series/{metric}`: one question, answered as JSON, `.csv` or `.svg`.

use axum::extract::{Path, RawQuery, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::Connection;
use vigie_common::clock;
use vigie_common::text::{inert, nearest};
use vigie_web::{Problem, Visitor};

use super::params::{Params, zone_name};
use super::{App, json};
use crate::chart;
use crate::query::cuts::{Bucket, Cuts};
use crate::query::flow::{self, Ask, Group, Measure};
use crate::query::hosts;
use crate::query::range::Range;
use crate::query::scan::{Scan, Scope};
use crate::query::series::{Answer, Kind, Line, Metric};
use crate::table;

/// The form of an answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Csv,
    Svg,
}

const ASKED: &[&str] = &["from", "to", "bucket", "tz", "group_by", "account", "limit"];
/// A drawing has a width and a height besides.
const DRAWN: &[&str] = &["from", "to", "bucket", "tz", "group_by", "account", "limit", "width", "height"];

pub(super) async fn answer(
    State(app): State<App>,
    visitor: Visitor,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (metric, form) = named(&name)?;
    let params = Params::parse(query.as_deref(), if form == Form::Svg { DRAWN } else { ASKED })?;
    let now = clock::now();
    let question = Question::parse(&params, metric, &visitor, now)?;
    let size = chart::Size {
        width: params.number("width", 800, 4000)?,
        height: params.number("height", 300, 2000)?,
    };
    let zone = question.zone.clone();
    let answer = ask(&app, question, visitor, now).await?;
    Ok(match form {
        Form::Json => json(&answer),
        Form::Csv => {
            let kind = [
                (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
                (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{}.csv\"", metric.as_str())),
            ];
            (kind, table::csv(&answer)).into_response()
        }
        Form::Svg => {
            let draw = move || chart::svg(&answer, metric.title(), &zone, size);
            let drawn = tokio::task::spawn_blocking(draw).await.map_err(Problem::internal)?;
            let drawn = drawn.map_err(Problem::internal)?;
            (
                [(header::CONTENT_TYPE, "image/svg+xml"), (header::CONTENT_SECURITY_POLICY, chart::POLICY)],
                drawn,
            )
                .into_response()
        }
    })
}

fn named(name: &str) -> Result<(Metric, Form), Problem> {
    let (stem, form) = match name.rsplit_once('.') {
        Some((stem, "csv")) => (stem, Form::Csv),
        Some((stem, "svg")) => (stem, Form::Svg),
        Some((stem, "json")) => (stem, Form::Json),
        _ => (name, Form::Json),
    };
    let all = || Metric::ALL.into_iter().map(Metric::as_str);
    let found = Metric::ALL.into_iter().find(|metric| metric.as_str() == stem);
    found.map(|metric| (metric, form)).ok_or_else(|| {
        let meant = nearest(stem, all()).map(|name| format!(": did you mean `{name}`?"));
        let known = || format!(": there are {}", all().collect::<Vec<_>>().join(", "));
        Problem::not_found(format!("no series `{}`{}", inert(stem, 40), meant.unwrap_or_else(known)))
    })
}

struct Question {
    metric: Metric,
    range: Range,
    bucket: Option<Bucket>,
    zone: TimeZone,
    group: Option<Group>,
    account: Option<String>,
    limit: usize,
}

impl Question {
    fn parse(params: &Params, metric: Metric, visitor: &Visitor, now: Timestamp) -> Result<Self, Problem> {
        let range = params.range(now)?;
        let bucket: Option<Bucket> = match params.get("bucket") {
            None | Some("auto") => None,
            Some(_) => params.value("bucket")?,
        };
        let bucket = (metric.kind() == Kind::Time).then(|| Bucket::choose(bucket, range));
        let group = params.value("group_by")?;
        if group.is_some() && !matches!(metric, Metric::Messages | Metric::Bytes) {
            return Err(Problem::bad_parameter("group_by", "only messages and bytes can be grouped"));
        }
        let account = params.account(visitor)?;
        if account.is_some() && metric.as_str().starts_with("host_") {
            return Err(Problem::bad_parameter("account", "the host is not of an account"));
        }
        Ok(Self {
            metric,
            range,
            bucket,
            zone: params.zone()?,
            group,
            account,
            limit: params.number("limit", 10, 50)?,
        })
    }

    fn lines(&self, db: &Connection, visitor: &Visitor, now: i64) -> rusqlite::Result<Vec<Line>> {
        let sees =
            |name: &str| visitor.sees(name) && self.account.as_deref().is_none_or(|account| account == name);
        let scope = Scope::of(db, sees)?;
        let (from, to) = self.range.seconds();
        let scan = Scan { from, to, scope: &scope };
        let bucket = self.bucket.unwrap_or(Bucket::Month);
        let cuts = Cuts::make(self.range, bucket, &self.zone);
        let ask = Ask { scan, cuts: &cuts, now };
        match self.metric {
            Metric::Messages => flow::counts(db, &ask, Measure::Messages, self.group, self.limit),
            Metric::Bytes => flow::counts(db, &ask, Measure::Bytes, self.group, self.limit),
            Metric::Senders => flow::senders(db, &ask),
            Metric::Delay => flow::delay(db, &ask),
            Metric::Sizes => flow::sizes(db, &scan),
            Metric::Hours => flow::hours(db, &scan, &self.zone),
            Metric::HostCpu
            | Metric::HostMemory
            | Metric::HostLoad
            | Metric::HostDisk
            | Metric::HostNetwork => hosts::means(db, self.metric, self.range, bucket, &cuts, now),
        }
    }
}

async fn ask(app: &App, question: Question, visitor: Visitor, now: Timestamp) -> Result<Answer, Problem> {
    let (metric, range) = (question.metric, question.range);
    let (group, tz, bucket) = (question.group, zone_name(&question.zone), question.bucket);
    let second = now.as_second();
    let mut series = app.readers.ask(move |db| question.lines(db, &visitor, second)).await?;
    let standing = app.outlets.standing.borrow();
    if group == Some(Group::Mailbox)
        && let Some(archive) = &standing.archive
    {
        flow::rename(&mut series, &archive.names());
    }
    let of_host = metric.as_str().starts_with("host_");
    Ok(Answer {
        metric: metric.as_str(),
        unit: metric.unit(),
        kind: metric.kind(),
        from: range.from,
        to: range.to,
        bucket: bucket.map(Bucket::as_str),
        tz,
        group_by: group.map(Group::as_str),
        series,
        complete: range.to <= now && (of_host || standing.is_complete()),
        generated_at: now,
    })
}

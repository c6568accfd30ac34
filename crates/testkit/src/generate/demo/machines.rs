//! What machines write: alerts, DMARC reports, reports of failed delivery.

use super::{Letter, SHOP, Sender, message_id};
use crate::generate::encoding::{Charset, Transfer};
use crate::generate::gzip::gzip;
use crate::generate::head::{Head, date};
use crate::generate::mime::Entity;

/// Checks: name, unit of the value, lowest and highest value of an alert.
const CHECKS: &[(&str, &str, u64, u64)] = &[
    ("disk /var", "%", 90, 99),
    ("load average", "", 8, 40),
    ("http latency", "ms", 900, 8000),
    ("certificate expiry", " days", 1, 14),
    ("replication lag", "s", 30, 900),
];

pub(super) fn alert(mut letter: Letter) -> Vec<u8> {
    let host =
        format!("{}{}", letter.random.pick(&["web", "db", "cache", "mail"]), letter.random.between(1, 6));
    let (check, unit, low, high) = letter.random.pick(CHECKS);
    let state = letter.random.pick(&["PROBLEM", "PROBLEM", "RECOVERY"]);
    let level = letter.random.pick(&["WARNING", "CRITICAL"]);
    let value = if state == "RECOVERY" { low / 3 } else { letter.random.between(low, high) };
    let sender = Sender {
        charset: Charset::Ascii,
        name: "Monitoring",
        local: "monitoring",
        domain: "ops.example.org",
        hours: 0,
    };
    let mut head = letter.head(&sender, "alerts");
    head.field("Subject", format!("[{state}] {host}: {check} is {value}{unit}"));
    head.field("X-Priority", if level == "CRITICAL" { "1" } else { "3" });
    head.field("Auto-Submitted", "auto-generated");
    let text = format!(
        "{state}: {level}\n\nHost:   {host}.ops.example.org\nCheck:  {check}\nValue:  {value}{unit}\nLimit:  {low}{unit}\n\
         Since:  {}\n\nhttps://ops.example.org/hosts/{host}\n",
        letter.sent
    );
    Entity::text("plain", Charset::Ascii, Transfer::SevenBit, &text).into_message(head)
}

pub(super) fn dmarc(mut letter: Letter) -> Vec<u8> {
    let reporter = letter.random.pick(&["mailhost.example", "bigmail.example", "provider.example"]);
    let sender = Sender {
        charset: Charset::Ascii,
        name: "DMARC reports",
        local: "noreply-dmarc",
        domain: reporter,
        hours: 0,
    };
    let mut head = letter.head(&sender, "dmarc");
    // A report is about the day before, in UTC.
    let end = letter.sent.as_second().div_euclid(86_400) * 86_400;
    let begin = end - 86_400;
    let id = format!("{begin}.{:08x}", letter.random.below(1 << 32));
    head.field("Subject", format!("Report domain: {SHOP} Submitter: {reporter}\r\n Report-ID: <{id}>"));
    let mut xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feedback>\n <report_metadata><org_name>{reporter}</org_name>\
         <email>noreply-dmarc@{reporter}</email><report_id>{id}</report_id><date_range><begin>{begin}</begin>\
         <end>{}</end></date_range></report_metadata>\n <policy_published><domain>{SHOP}</domain><adkim>r</adkim>\
         <aspf>r</aspf><p>quarantine</p><sp>none</sp><pct>100</pct></policy_published>\n",
        end - 1
    );
    for _ in 0..letter.random.between(1, 8) {
        let result = letter.random.pick(&["pass", "pass", "pass", "pass", "fail"]);
        let action = if result == "pass" { "none" } else { "quarantine" };
        xml.push_str(&format!(
            " <record><row><source_ip>198.51.100.{}</source_ip><count>{}</count><policy_evaluated>\
             <disposition>{action}</disposition><dkim>{result}</dkim><spf>{result}</spf></policy_evaluated></row>\
             <identifiers><header_from>{SHOP}</header_from></identifiers><auth_results><spf><domain>{SHOP}</domain>\
             <result>{result}</result></spf></auth_results></record>\n",
            letter.random.between(1, 254),
            letter.random.between(1, 400),
        ));
    }
    xml.push_str("</feedback>\n");
    let name = format!("{reporter}!{SHOP}!{begin}!{end}.xml.gz");
    let parts = [
        Entity::text(
            "plain",
            Charset::Ascii,
            Transfer::SevenBit,
            &format!("Aggregate report from {reporter}.\n"),
        ),
        Entity::attachment("application/gzip", &name, &gzip(xml.as_bytes())),
    ];
    let boundary = letter.boundary("report");
    Entity::multipart("mixed", &boundary, &parts).into_message(head)
}

pub(super) fn bounce(mut letter: Letter) -> Vec<u8> {
    let sender = Sender {
        charset: Charset::Ascii,
        name: "Mail Delivery System",
        local: "MAILER-DAEMON",
        domain: "mx.example.net",
        hours: 0,
    };
    let lost = format!("customer{}@example.com", letter.random.between(1, 300));
    let (code, why) = letter.random.pick(&[
        ("5.1.1", "550 5.1.1 no such user here"),
        ("5.2.2", "552 5.2.2 the mailbox is full"),
        ("4.4.1", "connection timed out"),
    ]);
    let mut head = Head(letter.head(&sender, "shop").0.replacen("<MAILER-DAEMON@mx.example.net>", "<>", 1));
    head.field("Subject", "Undelivered Mail Returned to Sender");
    head.field("Auto-Submitted", "auto-replied");
    let text = format!("I'm sorry, your message could not be delivered.\n\n<{lost}>: {why}\n");
    let status = format!(
        "Reporting-MTA: dns; mx.example.net\r\nArrival-Date: {}\r\n\r\nFinal-Recipient: rfc822; {lost}\r\n\
         Action: failed\r\nStatus: {code}\r\nDiagnostic-Code: smtp; {why}\r\n",
        date(letter.sent, 0)
    );
    let original = format!(
        "From: Shop <shop@{SHOP}>\r\nTo: {lost}\r\nSubject: Your order {}\r\nMessage-ID: {}\r\nDate: {}\r\n",
        10_000 + letter.index,
        message_id(letter.seed ^ 1, letter.index),
        date(letter.sent, 0)
    );
    let parts = [
        Entity::text("plain", Charset::Ascii, Transfer::SevenBit, &text),
        Entity::plain("message/delivery-status", &status),
        Entity::plain("text/rfc822-headers", &original),
    ];
    let boundary = letter.boundary("bounce");
    Entity::multipart("report; report-type=delivery-status", &boundary, &parts).into_message(head)
}

//! Orders of the shop and invoices of its suppliers.

use super::{Letter, SHOP, Sender};
use crate::generate::encoding::{Charset, Transfer};
use crate::generate::mime::Entity;
use crate::generate::words::language;

pub(super) fn order(mut letter: Letter) -> Vec<u8> {
    let language = language(&mut letter.random);
    let number = 10_000 + letter.index;
    let shop = Sender { charset: Charset::Utf8, name: "Shop", local: "shop", domain: SHOP, hours: 1 };
    let mut head = letter.head(&shop, "orders");
    head.text("Subject", language.charset, &format!("{} {number}", language.order));
    head.field("X-Order-Number", number.to_string());
    head.field("Auto-Submitted", "auto-generated");
    let (name, _) = letter.random.pick(language.people);

    let mut total = 0;
    let (mut lines, mut rows) = (String::new(), String::new());
    for _ in 0..letter.random.between(1, 4) {
        let product = letter.random.pick(language.products);
        let (count, cents) = (letter.random.between(1, 3), letter.random.between(490, 12_900));
        total += count * cents;
        let price = money(count * cents);
        lines.push_str(&format!("{count} x {product}: {price} {}\n", language.currency));
        rows.push_str(&format!(
            "<tr><td>{count}</td><td>{product}</td><td>{price} {}</td></tr>\n",
            language.currency
        ));
    }
    let sum = format!("{}: {} {}", language.total, money(total), language.currency);
    let title = format!("{} {number}", language.order);
    let text = format!("{}\n\n{name}\n\n{lines}\n{sum}\n\n{}\n", title, language.bye);
    let html = format!(
        "<!DOCTYPE html>\n<html><head><title>{title}</title></head><body><h1>{title}</h1>\n<p>{name}</p>\n\
         <table>\n{rows}</table>\n<p><b>{sum}</b></p>\n<p>{}</p></body></html>\n",
        language.bye
    );
    let parts = [
        Entity::text("plain", language.charset, language.transfer, &text),
        Entity::text("html", Charset::Utf8, Transfer::Quoted, &html),
    ];
    let boundary = letter.boundary("order");
    Entity::multipart("alternative", &boundary, &parts).into_message(head)
}

pub(super) fn invoice(mut letter: Letter) -> Vec<u8> {
    let language = language(&mut letter.random);
    let number = format!("{}-{:05}", letter.sent.strftime("%Y"), letter.index);
    let (name, _) = letter.random.pick(language.people);
    let domain = letter.random.pick(&["supplier.example", "energy.example", "hosting.example"]);
    let sender = Sender { charset: language.charset, name, local: "billing", domain, hours: language.hours };
    let mut head = letter.head(&sender, "accounts");
    head.text("Subject", language.charset, &format!("{} {number}", language.invoice));
    let sum = money(letter.random.between(1_200, 480_000));
    let text = format!(
        "{}\n\n{} {number}\n{}: {sum} {}\n\n{}\n{name}\n",
        language.hello, language.invoice, language.total, language.currency, language.bye
    );
    let weight = usize::try_from(letter.random.log_normal(15 << 16, 80_000)).unwrap_or_default();
    let pdf = pdf(&format!("Invoice {number}: {sum}"), &letter.random.bytes(weight.min(600_000)));
    let parts = [
        Entity::text("plain", language.charset, language.transfer, &text),
        Entity::attachment("application/pdf", &format!("{} {number}.pdf", language.invoice), &pdf),
    ];
    let boundary = letter.boundary("invoice");
    Entity::multipart("mixed", &boundary, &parts).into_message(head)
}

fn money(cents: u64) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

/// A PDF of one page with a line of text, made heavier by a stream that no page uses.
fn pdf(line: &str, weight: &[u8]) -> Vec<u8> {
    let page = format!("BT /F1 18 Tf 72 760 Td ({line}) Tj ET");
    let objects: [Vec<u8>; 6] = [
        b"<< /Type /Catalog /Pages 2 0 R >>".to_vec(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_vec(),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R \
          /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_vec(),
        stream(page.as_bytes()),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_vec(),
        stream(weight),
    ];
    let mut out = b"%PDF-1.4\n".to_vec();
    let mut table = String::from("0000000000 65535 f \n");
    for (at, object) in objects.iter().enumerate() {
        table.push_str(&format!("{:010} 00000 n \n", out.len()));
        out.extend_from_slice(format!("{} 0 obj\n", at + 1).as_bytes());
        out.extend_from_slice(object);
        out.extend_from_slice(b"\nendobj\n");
    }
    let start = out.len();
    let trailer =
        format!("xref\n0 7\n{table}trailer\n<< /Size 7 /Root 1 0 R >>\nstartxref\n{start}\n%%EOF\n");
    out.extend_from_slice(trailer.as_bytes());
    out
}

fn stream(bytes: &[u8]) -> Vec<u8> {
    let mut out = format!("<< /Length {} >>\nstream\n", bytes.len()).into_bytes();
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\nendstream");
    out
}

//! Which service needs which (pure): known ids, no circle.

use serde_spanned::Spanned;
use vigie_common::text::{inert, nearest};

use super::{Fault, Service};

/// Fills `needs` of every service from what its table says, in the same order.
pub(super) fn resolve(services: &mut [Service], needs: &[&Vec<Spanned<String>>]) -> Result<(), Fault> {
    let ids: Vec<String> = services.iter().map(|service| service.id.clone()).collect();
    for (service, needs) in services.iter_mut().zip(needs) {
        for need in *needs {
            let name = need.get_ref();
            if !ids.contains(name) {
                let meant = nearest(name, ids.iter().map(String::as_str));
                let advice = meant.map_or_else(
                    || "no service that is enabled has this id".to_owned(),
                    |meant| format!("did you mean `{meant}`?"),
                );
                return Err((
                    need.span(),
                    format!("service {} needs `{}`: {advice}", service.id, inert(name, 40)),
                ));
            }
            if !service.needs.contains(name) {
                service.needs.push(name.clone());
            }
        }
    }
    match circle(services) {
        Some(member) => {
            let place = services.iter().zip(needs).find(|(service, _)| service.id == member);
            let span = place.and_then(|(_, needs)| needs.first()).map_or(0..0, Spanned::span);
            Err((span, format!("service {member} needs itself, by what it needs: break the circle")))
        }
        None => Ok(()),
    }
}

/// A service that needs itself.
fn circle(services: &[Service]) -> Option<&str> {
    // What needs nothing, or only such, can be taken away; what is left when nothing can, is a circle.
    let mut left: Vec<&Service> = services.iter().collect();
    loop {
        let before = left.len();
        let ids: Vec<&str> = left.iter().map(|service| service.id.as_str()).collect();
        left.retain(|service| service.needs.iter().any(|need| ids.contains(&need.as_str())));
        if left.len() == before {
            return left.first().map(|service| service.id.as_str());
        }
    }
}

/// The services in layers for a stop: nobody needs those of the first, only those of earlier ones the later.
#[must_use]
pub(crate) fn layers(services: &[(String, Vec<String>)]) -> Vec<Vec<String>> {
    let mut left: Vec<&(String, Vec<String>)> = services.iter().collect();
    let mut layers = Vec::new();
    while !left.is_empty() {
        let (now, later): (Vec<_>, Vec<_>) =
            left.iter().copied().partition(|(id, _)| !left.iter().any(|(_, needs)| needs.contains(id)));
        if now.is_empty() {
            // A circle; settings have none. All together, then.
            layers.push(later.iter().map(|(id, _)| id.clone()).collect());
            break;
        }
        layers.push(now.iter().map(|(id, _)| id.clone()).collect());
        left = later;
    }
    layers
}

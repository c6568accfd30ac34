//! The table.

use std::time::Duration;

use vigie_common::config::Tls;

use super::{Provider, Quirks, Server, SignIn, USUAL, UserName};

/// Most are like this.
const PLAIN: Provider = Provider {
    name: "",
    title: "",
    servers: &[],
    port: 993,
    tls: Tls::Implicit,
    user: UserName::Address,
    sign_in: &[SignIn::Password],
    page: None,
    note: None,
    quirks: USUAL,
};

/// All that are known.
pub(super) static ALL: [Provider; 15] = [
    Provider {
        name: "gmail",
        title: "Gmail and Google Workspace",
        servers: &[Server {
            host: "imap.gmail.com",
            domains: &["gmail.com", "googlemail.com"],
            mx: &["google.com", "googlemail.com"],
        }],
        sign_in: &[
            SignIn::AppPassword("https://myaccount.google.com/apppasswords"),
            SignIn::OAuth2("google"),
        ],
        note: Some(
            "app passwords need 2-step verification; the administrator of a Workspace may have switched them off",
        ),
        // Of 15 connections people's own programs want some. 2,500 MB a day: Google's bandwidth limits.
        quirks: Quirks { daily: Some(2_500_000_000), ..USUAL },
        ..PLAIN
    },
    Provider {
        name: "outlook",
        title: "Outlook.com and Microsoft 365",
        servers: &[Server {
            host: "outlook.office365.com",
            domains: &[
                "outlook.com",
                "outlook.fr",
                "outlook.de",
                "outlook.es",
                "outlook.it",
                "hotmail.com",
                "hotmail.fr",
                "hotmail.de",
                "hotmail.es",
                "hotmail.it",
                "hotmail.co.uk",
                "live.com",
                "live.fr",
                "live.de",
                "live.it",
                "live.co.uk",
                "msn.com",
                "windowslive.com",
                "onmicrosoft.com",
            ],
            mx: &["protection.outlook.com"],
        }],
        sign_in: &[SignIn::OAuth2("microsoft")],
        note: Some("Microsoft takes no passwords over IMAP any more"),
        ..PLAIN
    },
    Provider {
        name: "icloud",
        title: "iCloud Mail",
        servers: &[Server {
            host: "imap.mail.me.com",
            domains: &["icloud.com", "me.com", "mac.com"],
            mx: &["mail.icloud.com"],
        }],
        user: UserName::LocalPart,
        sign_in: &[SignIn::AppPassword("https://account.apple.com")],
        ..PLAIN
    },
    Provider {
        name: "yahoo",
        title: "Yahoo Mail",
        servers: &[Server {
            host: "imap.mail.yahoo.com",
            domains: &[
                "yahoo.com",
                "yahoo.fr",
                "yahoo.de",
                "yahoo.it",
                "yahoo.es",
                "yahoo.se",
                "yahoo.co.uk",
                "yahoo.co.nz",
                "yahoo.com.au",
                "yahoo.com.ar",
                "yahoo.com.br",
                "yahoo.com.mx",
                "ymail.com",
                "rocketmail.com",
            ],
            // Names of AOL end in gm0.yahoodns.net.
            mx: &["am0.yahoodns.net"],
        }],
        sign_in: &[SignIn::AppPassword("https://login.yahoo.com/account/security")],
        // Longer ones fall silent.
        quirks: Quirks { idle: Duration::from_mins(3), ..USUAL },
        ..PLAIN
    },
    Provider {
        name: "fastmail",
        title: "Fastmail",
        servers: &[Server {
            host: "imap.fastmail.com",
            domains: &["fastmail.com", "fastmail.fm"],
            mx: &["messagingengine.com"],
        }],
        sign_in: &[SignIn::AppPassword("https://app.fastmail.com/settings/security")],
        ..PLAIN
    },
    Provider {
        name: "ovh",
        title: "OVHcloud",
        servers: &[Server { host: "ssl0.ovh.net", domains: &[], mx: &["mail.ovh.net"] }],
        note: Some(
            "for Email Pro and Exchange give the server that OVHcloud names for your service, such as pro1.mail.ovh.net",
        ),
        ..PLAIN
    },
    Provider {
        name: "gandi",
        title: "Gandi",
        servers: &[Server { host: "mail.gandi.net", domains: &[], mx: &["mail.gandi.net"] }],
        ..PLAIN
    },
    Provider {
        name: "infomaniak",
        title: "Infomaniak",
        servers: &[Server { host: "mail.infomaniak.com", domains: &[], mx: &["infomaniak.ch"] }],
        note: Some("the password of the mail address, not that of the Infomaniak account"),
        ..PLAIN
    },
    Provider {
        name: "ionos",
        title: "IONOS",
        servers: &[
            Server { host: "imap.ionos.com", domains: &[], mx: &["ionos.com", "1and1.com", "perfora.net"] },
            Server {
                host: "imap.ionos.de",
                domains: &[],
                mx: &["ionos.de", "kundenserver.de", "schlund.de"],
            },
            Server { host: "imap.ionos.fr", domains: &[], mx: &["ionos.fr", "1and1.fr", "unetun.com"] },
            Server { host: "imap.ionos.co.uk", domains: &[], mx: &["ionos.co.uk"] },
            Server { host: "imap.ionos.es", domains: &[], mx: &["ionos.es"] },
            Server { host: "imap.ionos.it", domains: &[], mx: &["ionos.it"] },
        ],
        ..PLAIN
    },
    Provider {
        name: "orange",
        title: "Orange",
        servers: &[Server {
            host: "imap.orange.fr",
            domains: &["orange.fr", "wanadoo.fr"],
            mx: &["orange.fr"],
        }],
        ..PLAIN
    },
    Provider {
        name: "free",
        title: "Free",
        servers: &[Server { host: "imap.free.fr", domains: &["free.fr"], mx: &[] }],
        user: UserName::LocalPart,
        ..PLAIN
    },
    Provider {
        name: "laposte",
        title: "La Poste",
        servers: &[Server { host: "imap.laposte.net", domains: &["laposte.net"], mx: &[] }],
        user: UserName::LocalPart,
        ..PLAIN
    },
    Provider {
        name: "gmx",
        title: "GMX",
        servers: &[
            Server {
                host: "imap.gmx.net",
                domains: &[
                    "gmx.net", "gmx.de", "gmx.at", "gmx.ch", "gmx.eu", "gmx.biz", "gmx.org", "gmx.info",
                ],
                mx: &["gmx.net"],
            },
            Server {
                host: "imap.gmx.com",
                domains: &[
                    "gmx.com",
                    "gmx.us",
                    "gmx.co.uk",
                    "gmx.es",
                    "gmx.fr",
                    "gmx.it",
                    "gmx.ca",
                    "gmx.pt",
                ],
                mx: &[],
            },
        ],
        page: Some("https://hilfe.gmx.net/pop-imap/einschalten.html"),
        note: Some(
            "POP3 and IMAP must be allowed once in the settings of the mailbox; with two-factor authentication an application-specific password is needed",
        ),
        ..PLAIN
    },
    Provider {
        name: "zoho",
        title: "Zoho Mail",
        servers: &[
            Server { host: "imap.zoho.com", domains: &["zoho.com", "zohomail.com"], mx: &[] },
            Server { host: "imap.zoho.eu", domains: &["zoho.eu", "zohomail.eu"], mx: &[] },
            Server { host: "imap.zoho.in", domains: &["zoho.in", "zohomail.in"], mx: &[] },
            // Hosted domains have servers of their own.
            Server { host: "imappro.zoho.com", domains: &[], mx: &["zoho.com"] },
            Server { host: "imappro.zoho.eu", domains: &[], mx: &["zoho.eu"] },
            Server { host: "imappro.zoho.in", domains: &[], mx: &["zoho.in"] },
            Server { host: "imappro.zoho.com.au", domains: &[], mx: &["zoho.com.au"] },
        ],
        page: Some("https://www.zoho.com/mail/help/imap-access.html"),
        note: Some(
            "IMAP must be allowed in the settings of the mailbox; with two-factor authentication an application-specific password is needed",
        ),
        ..PLAIN
    },
    Provider {
        name: "proton-bridge",
        title: "Proton Mail, through Proton Mail Bridge on this machine",
        servers: &[Server {
            host: "127.0.0.1",
            domains: &["proton.me", "protonmail.com", "protonmail.ch", "pm.me"],
            mx: &["protonmail.ch"],
        }],
        port: 1143,
        tls: Tls::Starttls,
        page: Some("https://proton.me/mail/bridge"),
        note: Some(
            "Bridge must be running here: user and password are those that it shows, and its certificate, exported from its settings, goes into ca_file, or its fingerprint into pin",
        ),
        ..PLAIN
    },
];

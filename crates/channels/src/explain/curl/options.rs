//! What curl's options mean to the request.

/// What an option is to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// It has no value and makes no difference.
    Flag,
    /// It has a value and makes no difference.
    Ignored,
    /// It makes a request of another kind.
    Refused,
    Url,
    Get,
    Header,
    UserAgent,
    Referer,
    Cookie,
    Data,
    DataRaw,
    DataBinary,
    DataUrlEncode,
    Json,
}

impl Meaning {
    pub(super) fn takes_value(self) -> bool {
        !matches!(self, Self::Flag | Self::Get | Self::Refused)
    }
}

/// Options with a value that make no difference to what is signed.
const IGNORED: &[&str] = &[
    "request",
    "output",
    "user",
    "max-time",
    "connect-timeout",
    "resolve",
    "connect-to",
    "cacert",
    "capath",
    "cert",
    "cert-type",
    "key",
    "key-type",
    "pass",
    "proxy",
    "proxy-user",
    "noproxy",
    "interface",
    "retry",
    "retry-delay",
    "retry-max-time",
    "write-out",
    "dump-header",
    "cookie-jar",
    "range",
    "limit-rate",
    "ciphers",
    "tls13-ciphers",
    "tls-max",
    "unix-socket",
    "dns-servers",
    "local-port",
    "max-redirs",
    "proto",
    "stderr",
    "trace",
    "trace-ascii",
    "keepalive-time",
    "oauth2-bearer",
    "pinnedpubkey",
    "speed-limit",
    "speed-time",
    "socks5",
    "socks5-hostname",
    "preproxy",
    "expect100-timeout",
    "happy-eyeballs-timeout-ms",
    "max-filesize",
    "time-cond",
    "proxy-header",
];

/// Options without a value that make no difference.
const FLAGS: &[&str] = &[
    "silent",
    "show-error",
    "insecure",
    "location",
    "location-trusted",
    "include",
    "verbose",
    "compressed",
    "head",
    "fail",
    "fail-with-body",
    "fail-early",
    "http1.0",
    "http1.1",
    "http2",
    "http2-prior-knowledge",
    "http3",
    "ipv4",
    "ipv6",
    "no-buffer",
    "no-keepalive",
    "globoff",
    "path-as-is",
    "progress-bar",
    "no-progress-meter",
    "tlsv1",
    "tlsv1.0",
    "tlsv1.1",
    "tlsv1.2",
    "tlsv1.3",
    "ssl",
    "ssl-reqd",
    "ssl-no-revoke",
    "raw",
    "remote-name",
    "remote-header-name",
    "remote-time",
    "junk-session-cookies",
    "anyauth",
    "basic",
    "digest",
    "ntlm",
    "negotiate",
    "tcp-nodelay",
    "tcp-fastopen",
    "parallel",
    "create-dirs",
    "disable",
    "no-sessionid",
    "trace-time",
    "no-alpn",
    "post301",
    "post302",
    "post303",
    "retry-connrefused",
    "retry-all-errors",
    "styled-output",
    "no-styled-output",
];

const REFUSED: &[&str] =
    &["form", "form-string", "form-escape", "upload-file", "next", "config", "url-query", "variable", "expand-data"];

pub(super) fn meaning_of_long(name: &str) -> Option<Meaning> {
    Some(match name {
        "url" => Meaning::Url,
        "get" => Meaning::Get,
        "header" => Meaning::Header,
        "user-agent" => Meaning::UserAgent,
        "referer" => Meaning::Referer,
        "cookie" => Meaning::Cookie,
        "data" | "data-ascii" => Meaning::Data,
        "data-raw" => Meaning::DataRaw,
        "data-binary" => Meaning::DataBinary,
        "data-urlencode" => Meaning::DataUrlEncode,
        "json" => Meaning::Json,
        name if FLAGS.contains(&name) => Meaning::Flag,
        name if IGNORED.contains(&name) => Meaning::Ignored,
        name if REFUSED.contains(&name) => Meaning::Refused,
        _ => return None,
    })
}

pub(super) fn meaning_of_short(letter: u8) -> Option<Meaning> {
    Some(match letter {
        b'G' => Meaning::Get,
        b'H' => Meaning::Header,
        b'A' => Meaning::UserAgent,
        b'e' => Meaning::Referer,
        b'b' => Meaning::Cookie,
        b'd' => Meaning::Data,
        b'F' | b'T' | b'K' | b':' => Meaning::Refused,
        b'X' | b'o' | b'u' | b'm' | b'x' | b'U' | b'E' | b'w' | b'D' | b'c' | b'r' | b'Y' | b'y' | b'z' | b'C' => {
            Meaning::Ignored
        }
        b's' | b'S' | b'k' | b'L' | b'i' | b'v' | b'I' | b'f' | b'0' | b'1' | b'2' | b'3' | b'4' | b'6' | b'N'
        | b'g' | b'#' | b'O' | b'J' | b'R' | b'j' | b'q' | b'Z' => Meaning::Flag,
        _ => return None,
    })
}

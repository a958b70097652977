mod access;
mod document;
mod oidc;
mod refusals;
mod tls;

use std::fs;

use super::*;

const MINIMAL: &str = r#"[insurer]
name = "示例保险"
[[partner]]
id = "alibaba"
app_key = "12345678"
secrets = ["hidden-one"]
[[product]]
code = "CES"
name = "信用保险"
policy_prefix = "CESI"
partners = ["alibaba"]
sum_insured_cny = { min = "0.01", max = "100" }
premium_cny = { min = "0.01", max = "10" }
"#;

/// The least that can be said of a platform.
const WEBHOOK: &str = r#"[[webhook]]
id = "core"
url = "https://core.example.com/events"
secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
"#;

/// The least that can be said of a provider.
const OIDC: &str = r#"[console.oidc]
issuer = "https://sso.example.com/realms/insurer"
client_id = "baoqiao"
client_secret = "hidden-three"
roles = { admin = ["baoqiao-admins"] }
"#;

const PLATFORM: &str = r#"[[platform]]
id = "alibaba"
url = "http://127.0.0.1:1/router/rest"
app_key = "1"
secret = "hidden-two"
"#;

fn env(name: &str) -> Option<String> {
    match name {
        "EMPTY" => Some(String::new()),
        "BLANK" => Some("hidden \n".to_owned()),
        "SECRET_1" => Some("hidden-from-env".to_owned()),
        _ => None,
    }
}

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("/etc/baoqiao/b.toml"), text, &env)
}

/// A folder of its own, gone at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("baoqiao-config-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_minimal_file_has_every_default() {
    let config = parse(MINIMAL).unwrap();
    assert_eq!(config.server.listen, defaults::LISTEN);
    assert_eq!(config.server.public_url, None);
    assert_eq!(config.server.request_deadline.as_secs(), 3);
    assert_eq!(config.deadlines["qimen"].as_secs(), 3);
    assert_eq!(config.ledger.url, LedgerUrl::Sqlite("/etc/baoqiao/ledger.db".into()));
    assert_eq!(config.documents.template, None);
    assert_eq!(config.partners[0].timestamp_window_s, 600);
    assert_eq!(config.partners[0].sign_methods, defaults::SIGN_METHODS);
    let product = config.catalogue.sold_by("alibaba", "CES").unwrap();
    assert_eq!(product.cny_tolerance, "0.01".parse().unwrap());
    assert!(config.access.partner("12345678").is_some());
    assert!(!format!("{config:?}").contains("hidden"));
}

#[test]
fn a_channel_may_have_a_deadline_of_its_own() {
    let text = format!("server.request_deadline_ms = 2500\nchannels.avatar.deadline_ms = 800\n{MINIMAL}");
    let deadlines = parse(&text).unwrap().deadlines;
    assert_eq!((deadlines["qimen"].as_millis(), deadlines["avatar"].as_millis()), (2_500, 800));
}

#[test]
fn the_sample_writes_the_defaults_out() {
    let options = SampleOptions::new("127.0.0.1:8080", "1", "s").unwrap();
    let (sample, minimal) = (parse(&sample(&options)).unwrap(), parse(MINIMAL).unwrap());
    assert_eq!(ServerConfig { public_url: None, ..sample.server }, minimal.server);
    assert_eq!(
        (sample.log, sample.ledger, sample.traffic, sample.documents),
        (minimal.log, minimal.ledger, minimal.traffic, minimal.documents)
    );
    assert_eq!(sample.partners[0].sign_methods, minimal.partners[0].sign_methods);
    assert_eq!(sample.outbox, minimal.outbox);
    let mut platform = parse(&format!("{MINIMAL}{PLATFORM}")).unwrap().platforms.remove(0);
    platform.url = SIMULATED_PLATFORM.to_owned();
    platform.app.secret = sample.platforms[0].app.secret.clone();
    assert_eq!(sample.platforms, [platform]);
    assert_eq!(sample.partners[0].timestamp_window_s, minimal.partners[0].timestamp_window_s);
}

#[test]
fn secrets_come_from_the_environment_and_from_files_and_paths_start_at_the_file() {
    let folder = Folder::new("sources");
    folder.write("secret", "hidden-in-file\r\n");
    folder.write("policy.svg", "<svg/>");
    let text = MINIMAL.replace("\"hidden-one\"", "{ env = \"SECRET_1\" }, { file = \"secret\" }");
    let text = format!(
        "documents.template = \"policy.svg\"\nledger.url = \"sqlite:data/l.db\"\nledger.keys = \"/keys.toml\"\n{text}"
    );
    let path = folder.write("b.toml", format!("\u{feff}{}", text.replace('\n', "\r\n")));
    let config = Config::load(&path, &env).unwrap();
    let secrets: Vec<_> = config.partners[0].secrets.iter().map(|secret| secret.expose().to_owned()).collect();
    assert_eq!(secrets, ["hidden-from-env", "hidden-in-file"]);
    assert_eq!(config.source_path, path);
    assert_eq!(config.documents.template, Some(folder.0.join("policy.svg")));
    assert_eq!(config.ledger.url, LedgerUrl::Sqlite(folder.0.join("data/l.db")));
    assert_eq!(config.ledger.keys, Path::new("/keys.toml"));

    let relative = Config::parse(Path::new("some/b.toml"), MINIMAL, &env).unwrap();
    let expected = std::env::current_dir().unwrap().join("some/keys.toml");
    assert_eq!(relative.ledger.keys, expected);
}

#[test]
fn other_spellings_of_a_ledgers_path_are_understood() {
    for (url, path) in [
        ("sqlite:a.db", "/etc/baoqiao/a.db"),
        ("sqlite://a.db", "/etc/baoqiao/a.db"),
        ("sqlite:/var/a.db", "/var/a.db"),
        ("sqlite:///var/a.db", "/var/a.db"),
    ] {
        let config = parse(&format!("ledger.url = \"{url}\"\n{MINIMAL}")).unwrap();
        assert_eq!(config.ledger.url, LedgerUrl::Sqlite(path.into()), "{url}");
    }
}

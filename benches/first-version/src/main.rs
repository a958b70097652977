//! The service that a good engineer writes first, kept as a yardstick: axum, sqlx, one transaction a request.
//!
//! It checks what the gateway checks (signature, timestamp, required fields, period, idempotency with byte-for-byte
//! answers, conflicts) and writes the rows that the gateway writes. It seals nothing, keeps no previous secret, knows
//! one interface in one charset, and makes no documents: whatever differs, differs in its favour.

mod application;
mod signature;
mod store;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::post;
use sqlx::postgres::{PgPool, PgPoolOptions};

use application::Application;
use store::Settled;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The platform's window for timestamps, in milliseconds.
const WINDOW_MS: i64 = 10 * 60 * 1_000;

struct Service {
    pool: PgPool,
    app_key: String,
    secret: String,
}

type Error = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let (Some(database), Some(app_key), Some(secret)) = (arguments.next(), arguments.next(), arguments.next()) else {
        return Err("expected: DATABASE_URL APP_KEY SECRET [CONNECTIONS]".into());
    };
    let connections: u32 = arguments.next().map_or(Ok(16), |text| text.parse())?;
    let pool = PgPoolOptions::new().max_connections(connections).min_connections(connections).connect(&database).await?;
    sqlx::raw_sql(include_str!("schema.sql")).execute(&pool).await?;
    let service = Arc::new(Service { pool, app_key, secret });
    let router = Router::new().route("/qimen", post(receive)).with_state(service);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    eprintln!("ready address={}", listener.local_addr()?);
    axum::serve(tap(listener), router).await?;
    Ok(())
}

/// Answers are small and awaited.
fn tap(listener: tokio::net::TcpListener) -> impl axum::serve::Listener<Addr = std::net::SocketAddr> {
    use axum::serve::ListenerExt;
    listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    })
}

async fn receive(State(service): State<Arc<Service>>, RawQuery(query): RawQuery, body: Bytes) -> impl IntoResponse {
    let query = query.unwrap_or_default();
    let reply = match answer(&service, &query, &body).await {
        Ok(reply) => reply,
        Err(error) => {
            eprintln!("{error}");
            refused("ledger-unavailable", "系统暂不可用，请稍后再试")
        }
    };
    ([(CONTENT_TYPE, "application/json;charset=utf-8")], reply)
}

async fn answer(service: &Service, query: &str, body: &[u8]) -> Result<Vec<u8>, Error> {
    let now_ms = jiff::Timestamp::now().as_millisecond();
    let parameters = signature::parameters(query);
    let known = signature::value(&parameters, "app_key") == Some(service.app_key.as_str());
    if !known || !signature::is_right(&parameters, body, &service.secret) || !is_in_time(&parameters, now_ms) {
        return Ok(refused("sign-check-failure", "Illegal request"));
    }
    let application = match Application::read(body) {
        Ok(application) => application,
        Err(problem) => return Ok(refused("invalid-fields", &problem)),
    };
    Ok(match store::settle(&service.pool, &service.app_key, query, body, &application, now_ms).await? {
        Settled::Answered(reply) => reply,
        Settled::Conflicting => refused("idempotency-conflict", "幂等号已用于其他内容"),
    })
}

fn is_in_time(parameters: &[(String, String)], now_ms: i64) -> bool {
    let sent_ms = signature::value(parameters, "timestamp").and_then(application::gmt8_ms);
    sent_ms.is_some_and(|sent_ms| (now_ms - sent_ms).abs() <= WINDOW_MS)
}

fn refused(code: &str, message: &str) -> Vec<u8> {
    serde_json::json!({"errorCode": code, "errorMessage": message, "success": "false"}).to_string().into_bytes()
}

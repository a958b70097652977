//! One transaction a request.

use sqlx::postgres::PgPool;
use sqlx::{PgConnection, Row};

use crate::application::Application;

/// How a message ended.
pub enum Settled {
    /// The first answer, now or again.
    Answered(Vec<u8>),
    /// The identifier came before with other content.
    Conflicting,
}

/// Issues the policy, or answers as before; the record of the message is written with it.
pub async fn settle(
    pool: &PgPool,
    partner: &str,
    query: &str,
    body: &[u8],
    application: &Application,
    now_ms: i64,
) -> Result<Settled, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let policy_no = next_number(&mut transaction).await?;
    let reply = accepted(&policy_no);
    let (settled, verdict) = if claim(&mut transaction, partner, application, &policy_no, &reply).await? {
        issue(&mut transaction, partner, application, &policy_no, now_ms).await?;
        (Settled::Answered(reply), "accepted")
    } else {
        again(&mut transaction, partner, application).await?
    };
    let kept: &[u8] = if let Settled::Answered(reply) = &settled { reply } else { b"" };
    sqlx::query(
        "INSERT INTO messages (received_ms, partner, identifier, verdict, query, request, reply) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(now_ms)
    .bind(partner)
    .bind(&application.identifier)
    .bind(verdict)
    .bind(query)
    .bind(body)
    .bind(kept)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(settled)
}

async fn next_number(connection: &mut PgConnection) -> Result<String, sqlx::Error> {
    let sequence: i64 = sqlx::query_scalar("SELECT nextval('policy_numbers')").fetch_one(connection).await?;
    Ok(format!("PBDI{}Q{sequence:010}", jiff::Zoned::now().strftime("%Y%m%d")))
}

fn accepted(policy_no: &str) -> Vec<u8> {
    let url = format!("http://127.0.0.1/documents/{policy_no}");
    serde_json::json!({
        "errorCode": "SUCCESS",
        "context": {"policyFileUrl": url, "policyNo": policy_no},
        "errorMessage": "OK",
        "success": "true",
    })
    .to_string()
    .into_bytes()
}

/// Whether this message is the first of its identifier. A copy under way elsewhere is waited for.
async fn claim(
    connection: &mut PgConnection,
    partner: &str,
    application: &Application,
    policy_no: &str,
    reply: &[u8],
) -> Result<bool, sqlx::Error> {
    let inserted = sqlx::query(
        "INSERT INTO answers (partner, identifier, fingerprint, content, reply, policy_no) \
         VALUES ($1, $2, $3, $4::jsonb, $5, $6) ON CONFLICT DO NOTHING",
    )
    .bind(partner)
    .bind(&application.identifier)
    .bind(&application.fingerprint)
    .bind(&application.content)
    .bind(reply)
    .bind(policy_no)
    .execute(connection)
    .await?;
    Ok(inserted.rows_affected() == 1)
}

async fn again(
    connection: &mut PgConnection,
    partner: &str,
    application: &Application,
) -> Result<(Settled, &'static str), sqlx::Error> {
    let row = sqlx::query("SELECT fingerprint, reply FROM answers WHERE partner = $1 AND identifier = $2")
        .bind(partner)
        .bind(&application.identifier)
        .fetch_one(connection)
        .await?;
    if row.get::<Vec<u8>, _>(0) == application.fingerprint {
        Ok((Settled::Answered(row.get(1)), "replayed"))
    } else {
        Ok((Settled::Conflicting, "conflicting"))
    }
}

async fn issue(
    connection: &mut PgConnection,
    partner: &str,
    application: &Application,
    policy_no: &str,
    now_ms: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO policies (policy_no, partner, product_code, identifier, insure_id, amount, premium, \
         premium_of_cny, currency, effect_ms, expire_ms, issued_ms, state) VALUES ($1, $2, $3, $4, $5, \
         $6::numeric, $7::numeric, $8::numeric, $9, $10, $11, $12, 'issued')",
    )
    .bind(policy_no)
    .bind(partner)
    .bind(&application.product_code)
    .bind(&application.identifier)
    .bind(&application.insure_id)
    .bind(&application.amount)
    .bind(&application.premium)
    .bind(&application.premium_of_cny)
    .bind(&application.currency)
    .bind(application.effect_ms)
    .bind(application.expire_ms)
    .bind(now_ms)
    .execute(&mut *connection)
    .await?;
    sqlx::query("INSERT INTO people (number, policy_no) SELECT number, $2 FROM unnest($1::text[]) AS number")
        .bind(&application.people)
        .bind(policy_no)
        .execute(&mut *connection)
        .await?;
    let payload = serde_json::json!({
        "type": "policyIssued",
        "policyNo": policy_no,
        "productCode": application.product_code,
        "premium": application.premium,
    });
    sqlx::query("INSERT INTO events (at_ms, kind, policy_no, payload) VALUES ($1, 'policy-issued', $2, $3)")
        .bind(now_ms)
        .bind(policy_no)
        .bind(payload)
        .execute(connection)
        .await?;
    Ok(())
}

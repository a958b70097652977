//! Gateways that share a ledger serve one document of a policy, whoever makes it.

use baoqiao_documents::{Fonts, Template, policy_schema};
use tokio::sync::Semaphore;

use super::*;
use crate::documents::{Documents, Insurer, Links};

impl World {
    /// The documents of a gateway that draws a page of that width.
    fn documents(&self, width: u8) -> Arc<Documents> {
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"99\"><text>{{{{policy_no}}}}</text></svg>"
        );
        Arc::new(Documents {
            reader: Arc::clone(&self.reader),
            ledger: self.ledger.clone(),
            vault: Arc::clone(&self.vault),
            links: Links { public_url: "https://x.test".to_owned(), vault: Arc::clone(&self.vault) },
            insurer: Insurer { name: "示例保险".to_owned(), address: String::new(), hotline: String::new() },
            catalogue: Arc::new(catalogue()),
            template: Template::parse(&svg, policy_schema()).unwrap(),
            template_sha256: [width; 32],
            fonts: Fonts::embedded_only(),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            making: Arc::new(Semaphore::new(1)),
            deadline: Duration::from_mins(1),
        })
    }
}

on_both_databases!(tokio::test; the_document_that_is_served_is_the_one_that_is_kept);

async fn the_document_that_is_served_is_the_one_that_is_kept(database: Database) {
    let world = World::open(&database);
    let policy_no = number(&world.submit(json!({})).await);
    let record = off_runtime(|| world.reader.policy(&policy_no)).unwrap().unwrap();
    let (narrow, wide) = (world.documents(100), world.documents(200));
    // Both found none kept, and make their own.
    let first = narrow.first(Box::new(record.clone())).await.unwrap();
    let second = wide.first(Box::new(record)).await.unwrap();
    assert_eq!(first, second);
    assert_eq!(wide.of_policy(policy_no).await.unwrap(), Some(first));
    assert_eq!(database.count("SELECT count(*) FROM documents"), 1);
}

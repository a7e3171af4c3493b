//! A test's own connection to the primary, beside those of the proxy.
use proto_tests::stage::Stage;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

/// Ends, with the transaction it is in, when it is dropped.
pub(crate) struct Own {
    runtime: Runtime,
    client: Client,
}

impl Own {
    pub(crate) fn new(stage: &Stage) -> Self {
        let runtime = Runtime::new().unwrap();
        let url = stage.cluster.primary().url();
        let client = runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
            #[expect(clippy::disallowed_methods, reason = "the test's own connection ends with its runtime")]
            tokio::spawn(async move {
                let _ = connection.await;
            });
            client
        });
        Self { runtime, client }
    }

    pub(crate) fn run<T>(&self, work: impl AsyncFnOnce(&Client) -> T) -> T {
        self.runtime.block_on(work(&self.client))
    }
}

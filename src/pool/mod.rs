//! Connections to PostgreSQL: one pool per node, what is known of each node, and which node a request may use.
//!
//! Nothing here knows a command. A node's role is what PostgreSQL says (`pg_is_in_recovery()`), asked when a
//! connection opens and by a background probe; what the configuration calls it only orders the candidates.
mod connection;
mod drive;
mod lease;
mod node;
mod probe;
mod role;
mod select;
mod state;
mod storage;

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use crate::config::Config;
use crate::obs::metrics::Metrics;
use crate::tasks::Tasks;

pub use lease::Lease;
pub use node::Node;
pub(crate) use role::Switch;
pub use role::{RunsAs, UserRole};
pub use select::Pick;
pub use state::{Lag, Role, Topology};
pub use storage::Storage;

/// The pools of all nodes.
#[derive(Debug)]
pub struct Pools {
    /// The primary as configured first, then the standbys in their order.
    nodes: Vec<Arc<Node>>,
    /// Counts changes of what the nodes are; hello streams wait on it.
    topology: Arc<Topology>,
    /// Where the next search for a standby starts, so that they share the reads.
    turn: AtomicUsize,
}

impl Pools {
    /// Builds the pools and starts the probes. Connects to nothing by itself: PostgreSQL may be down.
    pub fn new(config: &Config, metrics: &Metrics, tasks: &Tasks) -> Self {
        let topology = Arc::new(Topology::default());
        let primary = config.primary.iter().map(|target| (target, Role::Primary));
        let standbys = config.standbys.iter().map(|target| (target, Role::Standby));
        let nodes: Vec<_> = primary
            .chain(standbys)
            .enumerate()
            .map(|(number, (target, role))| {
                let number = u32::try_from(number).unwrap_or(u32::MAX);
                Arc::new(Node::new(number, target, role, &config.pool, &topology, metrics, tasks))
            })
            .collect();
        for node in &nodes {
            tasks.spawn(probe::run(Arc::downgrade(node), tasks.stopping().clone(), config.pool.clone()));
        }
        Self { nodes, topology, turn: AtomicUsize::new(0) }
    }

    /// Every node, the configured primary first.
    pub fn nodes(&self) -> &[Arc<Node>] {
        &self.nodes
    }

    /// What hello reports changes of.
    pub fn topology(&self) -> &Arc<Topology> {
        &self.topology
    }
}

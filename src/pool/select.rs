//! Which nodes a request may use, in the order in which they are tried.
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Pools;
use super::node::{Node, not_primary};
use super::state::Role;
use crate::error::{CommandError, Result, Retry, codes};

/// What kind of node is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// The primary only.
    Primary,
    /// The primary, else a standby.
    PrimaryPreferred,
    /// A standby only.
    Standby,
    /// A standby, else the primary.
    StandbyPreferred,
    /// Any node.
    Nearest,
}

impl Pools {
    /// The node that takes writes.
    ///
    /// # Errors
    /// 10107 when every node that answers is in recovery or was superseded by another one, 189 when none answers. Nothing was
    /// sent.
    pub fn writer(&self) -> Result<&Arc<Node>> {
        // After a switch an old primary can come back, or go on where nobody fenced it. The higher timeline is the newer one, and
        // as long as it is away nobody takes writes.
        let newest = self.topology.newest();
        let current = |node: &&Arc<Node>| node.role() == Role::Primary && node.timeline() >= newest;
        if let Some(node) = self.nodes.iter().find(current) {
            return Ok(node);
        }
        // Not asked yet: the connection's own question decides whether it takes writes.
        let unasked = |node: &&Arc<Node>| node.configured() == Role::Primary && node.role() == Role::Unknown;
        if let Some(node) = self.nodes.iter().find(unasked) {
            return Ok(node);
        }
        for node in &self.nodes {
            node.report();
        }
        match self.nodes.iter().find(|node| node.configured() == Role::Primary) {
            Some(node) if node.role() == Role::Down => Err(node.unreachable("known to be away")),
            Some(_) => Err(not_primary()),
            None => Err(CommandError::postgres(codes::PRIMARY_STEPPED_DOWN, "no primary is configured")
                .retry(Retry::BeforeSend)),
        }
    }

    /// True if no primary is configured, or the configured one is a standby and has been nothing else since the start, and no
    /// other node takes writes: refusing writes is then what this deployment is, not a failover in progress.
    pub fn read_only(&self) -> bool {
        let standing_by = |node: &Arc<Node>| {
            node.configured() == Role::Standby || (node.role() == Role::Standby && !node.was_primary())
        };
        self.nodes.iter().all(|node| node.role() != Role::Primary) && self.nodes.iter().all(standing_by)
    }

    /// The nodes that may serve a read, best first, never empty.
    ///
    /// # Errors
    /// 6 or 189 when no suitable node is known to be up.
    pub fn readers(&self, pick: Pick) -> Result<Vec<Arc<Node>>> {
        let mut found = Vec::with_capacity(self.nodes.len());
        match pick {
            Pick::Primary => return Ok(vec![Arc::clone(self.primary_reader()?)]),
            Pick::PrimaryPreferred => {
                found.extend(self.primary_reader().ok().cloned());
                self.add_standbys(&mut found);
            }
            Pick::Standby => {
                self.add_standbys(&mut found);
                // A standby that was promoted still serves reads, and rightly, until a real one is there.
                if found.is_empty() {
                    let promoted = |node: &&Arc<Node>| {
                        node.configured() == Role::Standby
                            && matches!(node.role(), Role::Primary | Role::Unknown)
                    };
                    found.extend(self.nodes.iter().filter(promoted).cloned());
                }
            }
            Pick::StandbyPreferred => {
                self.add_standbys(&mut found);
                found.extend(self.primary_reader().ok().cloned());
            }
            Pick::Nearest => {
                found.extend(self.primary_reader().ok().cloned());
                self.add_standbys(&mut found);
                let turn = self.turn.fetch_add(1, Ordering::Relaxed);
                let count = found.len().max(1);
                found.rotate_left(turn % count);
            }
        }
        if found.is_empty() {
            for node in &self.nodes {
                node.report();
            }
            return Err(CommandError::postgres(codes::HOST_UNREACHABLE, "no standby is reachable")
                .retry(Retry::BeforeSend));
        }
        Ok(found)
    }

    /// The node for reads of the primary endpoint: the one that takes writes, or the configured primary while it
    /// is in recovery and nobody else is the primary, so that a read-only deployment can be read.
    fn primary_reader(&self) -> Result<&Arc<Node>> {
        match self.writer() {
            Ok(node) => Ok(node),
            Err(error) => {
                let recovering =
                    |node: &&Arc<Node>| node.configured() == Role::Primary && node.role() == Role::Standby;
                if self.read_only() { self.nodes.iter().find(recovering).ok_or(error) } else { Err(error) }
            }
        }
    }

    fn add_standbys(&self, found: &mut Vec<Arc<Node>>) {
        let from = found.len();
        found.extend(self.nodes.iter().filter(|node| node.role() == Role::Standby).cloned());
        if found.len() == from {
            let unasked =
                |node: &&Arc<Node>| node.configured() == Role::Standby && node.role() == Role::Unknown;
            found.extend(self.nodes.iter().filter(unasked).cloned());
        }
        let count = found.len() - from;
        if count > 1 {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            if let Some(added) = found.get_mut(from..) {
                added.rotate_left(turn % count);
            }
        }
    }
}

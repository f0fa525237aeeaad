//! Letting go what is too old or too much, and giving back its room on the disk, beside publishing: one job at a time,
//! which ends when its owner does.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use tidewire_log::{Millis, archive::Store};
use tokio::task::{JoinHandle, spawn_blocking};

/// See the module's text. When it is dropped, its job gives up soon.
#[derive(Default)]
pub(crate) struct Compaction {
    job: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
}

impl Compaction {
    /// Begins the next job at this time, unless one is running.
    pub(crate) fn go_on(&mut self, archive: &Arc<dyn Store>, now: Millis) {
        let is_running = self.job.as_ref().is_some_and(|job| !job.is_finished());
        // What is in memory is let go at once, and has nothing to give back.
        if is_running || !archive.may_block() {
            return;
        }
        self.begin(archive, move |archive, go_on| {
            archive.trim(now);
            archive.compact(go_on);
        });
    }

    /// Lets go now, and waits until it is done.
    pub(crate) async fn catch_up(&mut self, archive: &Arc<dyn Store>, now: Millis) {
        self.done().await;
        self.begin(archive, move |archive, go_on| {
            archive.trim(now);
            // What is written down frees files, when it is so twice.
            archive.compact(go_on);
            archive.compact(go_on);
            archive.trim(now);
        });
        self.done().await;
    }

    fn begin(
        &mut self,
        archive: &Arc<dyn Store>,
        work: impl FnOnce(&dyn Store, &dyn Fn() -> bool) + Send + 'static,
    ) {
        let (archive, stop) = (Arc::clone(archive), Arc::clone(&self.stop));
        self.job = Some(spawn_blocking(move || work(&*archive, &|| !stop.load(Relaxed))));
    }

    async fn done(&mut self) {
        if let Some(job) = &mut self.job
            && let Err(error) = job.await
        {
            tracing::error!(%error, "giving back room ended badly");
        }
        self.job = None;
    }

    /// Tells the job to give up, and waits until it has.
    pub(crate) async fn end(mut self) {
        self.stop.store(true, Relaxed);
        self.done().await;
    }
}

impl Drop for Compaction {
    fn drop(&mut self) {
        self.stop.store(true, Relaxed);
    }
}

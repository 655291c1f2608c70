//! Files that are read again while we run: limits, tokens, certificates.

use anyhow::Context;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};
use std::{
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

const REREAD_EVERY: Duration = Duration::from_secs(10);

/// All of them, each under the setting that names it.
pub struct Reread {
    files: Mutex<Vec<Arc<Watched>>>,
    failures: Family<Setting, Counter>,
    good: Family<Setting, Gauge>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Setting {
    setting: &'static str,
}

/// Takes over what the files say.
type Take = Box<dyn Fn(&[String]) -> anyhow::Result<()> + Send + Sync>;

/// Files that belong together.
struct Watched {
    setting: &'static str,
    files: Vec<PathBuf>,
    take: Take,
    /// A hash of what was tried last, so that a file that stays bad is reported once. The texts
    /// themselves may be secret.
    tried: Mutex<Option<u64>>,
}

impl Reread {
    pub fn new(registry: &mut Registry) -> Arc<Self> {
        let reread = Self { files: Mutex::default(), failures: Family::default(), good: Family::default() };
        let help = "Times that a file that is read again and again could not be taken over";
        registry.register("yagura_reread_failures", help, reread.failures.clone());
        let help = "Whether a file that is read again and again was good when it was last read";
        registry.register("yagura_reread_last_successful", help, reread.good.clone());
        Arc::new(reread)
    }

    /// Reads the files of a setting and goes on doing so. `take` gets their texts in order; when
    /// it refuses them everything has to stay as it was.
    ///
    /// # Errors
    /// They are not good to begin with.
    pub fn watch(
        &self,
        setting: &'static str,
        files: Vec<PathBuf>,
        take: impl Fn(&[String]) -> anyhow::Result<()> + Send + Sync + 'static,
    ) -> anyhow::Result<()> {
        let watched = Watched { setting, files, take: Box::new(take), tried: Mutex::default() };
        watched.read_again(true).with_context(|| setting)?;
        self.good.get_or_create(&Setting { setting }).set(1);
        drop(self.failures.get_or_create(&Setting { setting }));
        self.files.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::new(watched));
        Ok(())
    }

    /// Reads everything again now, changed or not. What is bad changes nothing.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn reload(&self) -> anyhow::Result<()> {
        let problems = self.read_all(true);
        if problems.is_empty() { Ok(()) } else { Err(anyhow::anyhow!(problems.join("\n"))) }
    }

    /// Looks for changes as long as the process runs.
    pub async fn keep_fresh(self: Arc<Self>, drain: CancellationToken) -> anyhow::Result<()> {
        while drain.run_until_cancelled(tokio::time::sleep(REREAD_EVERY)).await.is_some() {
            let files = Arc::clone(&self);
            // What is wrong has been logged and counted; the next round tries again.
            tokio::task::spawn_blocking(move || files.read_all(false)).await?;
        }
        Ok(())
    }

    fn read_all(&self, even_unchanged: bool) -> Vec<String> {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner).clone();
        files.iter().filter_map(|watched| self.read_one(watched, even_unchanged)).collect()
    }

    /// What is wrong, if anything is.
    fn read_one(&self, watched: &Watched, even_unchanged: bool) -> Option<String> {
        let setting = Setting { setting: watched.setting };
        match watched.read_again(even_unchanged) {
            Ok(Read::Unchanged) => None,
            Ok(Read::Taken) => {
                self.good.get_or_create(&setting).set(1);
                tracing::info!(setting = watched.setting, "was read again and is in force");
                None
            }
            Err(error) => {
                let error = format!("{}: {error:#}", watched.setting);
                self.good.get_or_create(&setting).set(0);
                self.failures.get_or_create(&setting).inc();
                tracing::error!(error, "what was in force before it stays in force");
                Some(error)
            }
        }
    }
}

enum Read {
    Unchanged,
    Taken,
}

impl Watched {
    fn read_again(&self, even_unchanged: bool) -> anyhow::Result<Read> {
        let mut texts = Vec::with_capacity(self.files.len());
        for file in &self.files {
            let text = fs::read_to_string(file);
            texts.push(text.with_context(|| format!("cannot read {}", file.display()))?);
        }
        let mut hasher = DefaultHasher::new();
        texts.hash(&mut hasher);
        let now = Some(hasher.finish());
        let mut tried = self.tried.lock().unwrap_or_else(PoisonError::into_inner);
        if *tried == now && !even_unchanged {
            return Ok(Read::Unchanged);
        }
        *tried = now;
        (self.take)(&texts).map(|()| Read::Taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(reread: &Reread) -> (u64, i64) {
        let setting = Setting { setting: "x.file" };
        (reread.failures.get_or_create(&setting).get(), reread.good.get_or_create(&setting).get())
    }

    #[test]
    fn a_change_is_taken_over_and_what_is_bad_is_reported_once_and_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let files = ["a", "b"].map(|name| dir.path().join(name));
        fs::write(&files[0], "1").unwrap();
        let reread = Reread::new(&mut Registry::default());
        let taken = Arc::new(Mutex::new(Vec::new()));
        let watch = || {
            let taken = Arc::clone(&taken);
            reread.watch("x.file", files.to_vec(), move |texts| {
                anyhow::ensure!(!texts.contains(&"bad".to_owned()), "it is bad");
                taken.lock().unwrap().push(texts.concat());
                Ok(())
            })
        };
        let error = format!("{:#}", watch().unwrap_err());
        assert!(error.starts_with("x.file: cannot read ") && error.contains("/b:"), "{error}");
        fs::write(&files[1], "2").unwrap();
        watch().unwrap();

        assert!(reread.read_all(false).is_empty());
        fs::write(&files[1], "bad").unwrap();
        assert_eq!(reread.read_all(false), ["x.file: it is bad"]);
        assert!(reread.read_all(false).is_empty(), "reported once");
        assert_eq!(count(&reread), (1, 0));
        assert_eq!(reread.reload().unwrap_err().to_string(), "x.file: it is bad", "who asks is told again");
        fs::remove_file(&files[1]).unwrap();
        assert_eq!(reread.read_all(false).len(), 1);

        fs::write(&files[1], "3").unwrap();
        assert!(reread.read_all(false).is_empty());
        assert_eq!((count(&reread), &*taken.lock().unwrap()), ((3, 1), &vec!["12".into(), "13".into()]));
        reread.reload().unwrap();
        assert_eq!(taken.lock().unwrap().len(), 3);
    }
}

//! Readers that ask all the time and know the answers.

use crate::{
    balancer::Balancer,
    cluster::now,
    http::{Http, form},
    known::Question,
    ledger::Watch,
    remote_write::now_ms,
    wire::Wire,
};
use serde_json::Value;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::{task::JoinHandle, time::sleep};

/// Notes that are kept of what went wrong.
const NOTES: usize = 10;

/// Readers that each prefer another server. Where there is no answer they go on with the next one.
#[derive(Debug)]
pub struct Prober {
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<Tally>>,
}

/// What became of all questions.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    pub asked: usize,
    /// No answer from anybody, an answer that was no success, or one with a warning.
    pub failed: usize,
    /// Answers that say what is not so.
    pub wrong: usize,
    pub slowest: Duration,
    pub notes: Vec<String>,
}

impl Prober {
    /// Asks the questions with known answers, and how much there is of the ledgers.
    pub fn start(readers: usize, balancer: &Balancer, questions: Vec<Question>, watches: Vec<Watch>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (questions, watches) = (Arc::new(questions), Arc::new(watches));
        let tasks = (0..readers).map(|number| {
            let balancer = balancer.clone();
            let reader = Reader { number, http: Http::default(), balancer, tally: Tally::default() };
            tokio::spawn(reader.run(Arc::clone(&stop), Arc::clone(&questions), Arc::clone(&watches)))
        });
        let tasks = tasks.collect();
        Self { stop, tasks }
    }

    pub async fn finish(self) -> Tally {
        self.stop.store(true, Ordering::SeqCst);
        let mut all = Tally::default();
        for task in self.tasks {
            let tally = task.await.unwrap();
            all.asked += tally.asked;
            all.failed += tally.failed;
            all.wrong += tally.wrong;
            all.slowest = all.slowest.max(tally.slowest);
            all.notes.extend(tally.notes);
        }
        all
    }
}

struct Reader {
    number: usize,
    http: Http,
    balancer: Balancer,
    tally: Tally,
}

impl Reader {
    async fn run(
        mut self,
        stop: Arc<AtomicBool>,
        questions: Arc<Vec<Question>>,
        watches: Arc<Vec<Watch>>,
    ) -> Tally {
        while !stop.load(Ordering::SeqCst) {
            for question in questions.iter() {
                self.ask(&question.path, &question.check).await;
            }
            for watch in watches.iter() {
                let least = watch.progress.acknowledged() * watch.series;
                let check = |data: &Value| {
                    let most = watch.progress.sent() * watch.series;
                    let count = data["result"][0]["value"][1].as_str().unwrap_or("0").parse().ok();
                    let right = count.is_some_and(|count: u64| (least..=most).contains(&count));
                    (!right).then(|| format!("{} has {count:?} entries, not {least} to {most}", watch.writer))
                };
                self.ask(&count(watch), &check).await;
            }
            sleep(Duration::from_millis(50)).await;
        }
        self.tally
    }

    async fn ask(&mut self, path: &str, check: &(dyn Fn(&Value) -> Option<String> + Send + Sync)) {
        self.tally.asked += 1;
        let start = now();
        let mut outcome = Err("nobody to ask".to_owned());
        let bases = self.balancer.all();
        for n in 0..bases.len() {
            let base = &bases[(self.number + n) % bases.len()];
            outcome = match self.http.get(&format!("{base}{path}")).await {
                Ok(answer) if answer.status == 200 => Ok(answer.body),
                Ok(answer) => Err(format!("{} {}", answer.status, answer.body.trim())),
                Err(error) => {
                    outcome = Err(format!("{error:?}"));
                    continue;
                }
            };
            break;
        }
        self.tally.slowest = self.tally.slowest.max(start.elapsed());
        let note = match outcome {
            Err(said) => {
                self.tally.failed += 1;
                Some(format!("failed: {said}"))
            }
            Ok(body) => {
                let body: Value = serde_json::from_str(&body).unwrap_or_default();
                let warned = body["warnings"].as_array().is_some_and(|warnings| !warnings.is_empty());
                self.tally.failed += usize::from(warned);
                let wrong = check(&body["data"]);
                self.tally.wrong += usize::from(wrong.is_some() && !warned);
                let warned = warned.then(|| format!("warned: {}", body["warnings"]));
                warned.or_else(|| wrong.map(|wrong| format!("wrong: {wrong}")))
            }
        };
        if let Some(note) = note
            && self.tally.notes.len() < NOTES
        {
            self.tally.notes.push(format!("{path}: {note}"));
        }
    }
}

/// The query that counts what there is of a ledger.
fn count(watch: &Watch) -> String {
    let time = now_ms() / 1000 + 60;
    let range = time - watch.first / 1000 + 60;
    let writer = &watch.writer;
    let (api, query) = match watch.wire {
        Wire::RemoteWrite(_) => {
            let metric = crate::ledger::METRIC;
            ("/api/v1", format!("sum(count_over_time({metric}{{writer=\"{writer}\"}}[{range}s]))"))
        }
        _ => ("/loki/api/v1", format!("sum(count_over_time({{writer=\"{writer}\"}}[{range}s]))")),
    };
    format!("{api}/query?{}", form(&[("query", &query), ("time", &time.to_string())]))
}

//! A router that takes no route without being told who may use it.

use axum::{Router, routing::MethodRouter};
use std::collections::BTreeMap;

/// What a route asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Nothing: whoever keeps the process alive asks.
    Open,
    Read,
    Write,
    /// Rules: to look at them is reading, too, and to change them is for those alone who may.
    Rules,
    /// What changes the process, or shows how it is set up.
    Admin,
    /// Figures of the whole process.
    Metrics,
}

/// What each route asks for, by its path as it is declared.
pub type AccessTable = BTreeMap<String, Access>;

/// Routes, each with what it asks for.
pub struct Routes<S> {
    router: Router<S>,
    access: AccessTable,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    pub fn new() -> Self {
        Self { router: Router::new(), access: BTreeMap::new() }
    }

    pub fn open(self, path: &str, methods: MethodRouter<S>) -> Self {
        self.add(Access::Open, path, methods)
    }

    pub fn read(self, path: &str, methods: MethodRouter<S>) -> Self {
        self.add(Access::Read, path, methods)
    }

    pub fn write(self, path: &str, methods: MethodRouter<S>) -> Self {
        self.add(Access::Write, path, methods)
    }

    pub fn rules(self, path: &str, methods: MethodRouter<S>) -> Self {
        self.add(Access::Rules, path, methods)
    }

    pub fn admin(self, path: &str, methods: MethodRouter<S>) -> Self {
        self.add(Access::Admin, path, methods)
    }

    pub fn metrics(self, path: &str, methods: MethodRouter<S>) -> Self {
        self.add(Access::Metrics, path, methods)
    }

    fn add(mut self, access: Access, path: &str, methods: MethodRouter<S>) -> Self {
        self.declare(path.to_owned(), access);
        Self { router: self.router.route(path, methods), ..self }
    }

    /// # Panics
    /// When one path is to ask for two things, as axum does when it is to go two ways.
    fn declare(&mut self, path: String, access: Access) {
        let before = self.access.insert(path, access);
        assert!(before.is_none_or(|before| before == access), "a route asks for two kinds of access");
    }

    pub fn nest(mut self, prefix: &str, inner: Self) -> Self {
        for (path, access) in inner.access {
            self.declare(format!("{prefix}{path}"), access);
        }
        Self { router: self.router.nest(prefix, inner.router), ..self }
    }

    pub fn merge(mut self, other: Self) -> Self {
        for (path, access) in other.access {
            self.declare(path, access);
        }
        Self { router: self.router.merge(other.router), ..self }
    }

    /// The routes so far, within layers.
    pub fn within(self, layers: impl FnOnce(Router<S>) -> Router<S>) -> Self {
        Self { router: layers(self.router), ..self }
    }

    pub fn into_parts(self) -> (Router<S>, AccessTable) {
        (self.router, self.access)
    }
}

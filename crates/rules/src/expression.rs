//! An expression in either language, parsed once.

use promql::{ParseOptions, ast::ValueType};
use service_api::RuleLanguage;

/// What a rule evaluates: its text, and the tree that spans of notes refer to.
#[derive(Clone, Debug)]
pub enum Expression {
    Promql {
        text: String,
        expr: promql::ast::Expr,
    },
    /// Always one for numbers.
    Logql {
        text: String,
        expr: logql::ast::MetricExpr,
    },
}

/// The same text in the same language; trees may have numbers that equal nothing.
impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        (self.lang(), self.text()) == (other.lang(), other.text())
    }
}

impl Expression {
    /// `options` says which of PromQL's features may be used.
    ///
    /// # Errors
    /// A sentence that says what is wrong with `text`, or that it is no instant vector.
    pub fn parse(lang: RuleLanguage, text: &str, options: ParseOptions) -> Result<Self, String> {
        match lang {
            RuleLanguage::Promql => {
                let expr = promql::parse(text, options).map_err(|e| e.to_string())?;
                match expr.value_type() {
                    ValueType::Vector | ValueType::Scalar => Ok(Self::Promql { text: text.to_owned(), expr }),
                    other => Err(format!(
                        "a rule needs an instant vector or a scalar, not a {}",
                        other.documented()
                    )),
                }
            }
            RuleLanguage::Logql => match logql::parse(text).map_err(|e| e.to_string())? {
                logql::ast::Expr::Metric(expr) => Ok(Self::Logql { text: text.to_owned(), expr }),
                logql::ast::Expr::Logs(_) => Err(
                    "a rule needs a query for numbers, such as count_over_time(… [5m]), not one for lines"
                        .into(),
                ),
            },
        }
    }

    pub fn lang(&self) -> RuleLanguage {
        match self {
            Self::Promql { .. } => RuleLanguage::Promql,
            Self::Logql { .. } => RuleLanguage::Logql,
        }
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        let (Self::Promql { text, .. } | Self::Logql { text, .. }) = self;
        text
    }
}

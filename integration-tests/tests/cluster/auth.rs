//! Row 30: with tokens and certificates wanted, whoever has none or wrong ones gets nothing.

use super::{
    endpoints::{Kind, endpoints},
    tenants::calls,
};
use integration_tests::{Cluster, Grpc, Http, Layout, Role, TimeSeries, Version, now_ms, tell};
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// Name, tenant and access of each token.
const TOKENS: [(&str, &str, &str); 4] = [
    ("harness", "*", "[read, write, admin]"),
    ("a", "a", "[read, write]"),
    ("reader-of-b", "b", "read"),
    ("writer-of-b", "b", "write"),
];

/// A token's text: long enough, and another one for each name.
fn token(name: &str) -> String {
    format!("yagura-test-token-of-{name}-0123456789abcdef")
}

fn sha256(text: &str) -> String {
    let mut child = Command::new("sha256sum").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}

fn write_tokens(file: &Path) {
    let one = |(name, tenant, access): &(&str, &str, &str)| {
        let hash = sha256(&token(name));
        format!("  - {{name: {name}, sha256: \"{hash}\", tenant: \"{tenant}\", access: {access}}}\n")
    };
    fs::write(file, format!("tokens:\n{}", TOKENS.iter().map(one).collect::<String>())).unwrap();
}

/// An authority and certificates that it signed.
struct Authority {
    folder: PathBuf,
    name: &'static str,
}

impl Authority {
    fn new(folder: &Path, name: &'static str) -> Self {
        let authority = Self { folder: folder.to_owned(), name };
        let (key, cert) = (authority.file("key"), authority.file("cert"));
        openssl(
            &[
                "req",
                "-x509",
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:prime256v1",
                "-nodes",
                "-days",
                "2",
            ],
            |c| {
                c.args(["-subj", &format!("/CN={name}"), "-addext", "keyUsage=critical,keyCertSign"]);
                c.arg("-keyout").arg(key).arg("-out").arg(cert);
            },
        );
        authority
    }

    fn file(&self, kind: &str) -> PathBuf {
        self.folder.join(format!("{}.{kind}", self.name))
    }

    /// A certificate for loopback with its key: for servers and clients.
    fn sign(&self, name: &str) -> (PathBuf, PathBuf) {
        let file = |kind: &str| self.folder.join(format!("{}-{name}.{kind}", self.name));
        let (key, request, cert, extensions) =
            (file("key"), file("request"), file("cert"), file("extensions"));
        fs::write(&extensions, "subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n")
            .unwrap();
        openssl(&["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"], |c| {
            c.args(["-subj", &format!("/CN={name}")]).arg("-keyout").arg(&key).arg("-out").arg(&request);
        });
        openssl(&["x509", "-req", "-days", "2", "-CAcreateserial"], |c| {
            c.arg("-in").arg(&request).arg("-out").arg(&cert).arg("-extfile").arg(&extensions);
            c.arg("-CA").arg(self.file("cert")).arg("-CAkey").arg(self.file("key"));
        });
        (cert, key)
    }
}

fn openssl(args: &[&str], more: impl FnOnce(&mut Command)) {
    let mut command = Command::new("openssl");
    more(command.args(args));
    let output = command.output().unwrap_or_else(|e| panic!("openssl is missing: {e}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A certificate and its key as one text.
fn identity((cert, key): &(PathBuf, PathBuf)) -> Vec<u8> {
    [fs::read(cert).unwrap(), fs::read(key).unwrap()].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn row_30_without_the_right_token_or_certificate_there_is_nothing() {
    if Command::new("openssl").arg("version").output().is_err() {
        return tell("skipped: there is no openssl to make certificates with (row 30)");
    }
    let folder = tempfile::tempdir().unwrap();
    let tokens = folder.path().join("tokens.yaml");
    write_tokens(&tokens);
    let (ours, other) = (Authority::new(folder.path(), "ours"), Authority::new(folder.path(), "other"));
    let member = ours.sign("member");
    let set = [
        "multitenancy.enabled=true".to_owned(),
        "multitenancy.federation=true".to_owned(),
        format!("auth.tokens_file={}", tokens.display()),
        format!("grpc.tls.ca_file={}", ours.file("cert").display()),
        format!("grpc.tls.cert_file={}", member.0.display()),
        format!("grpc.tls.key_file={}", member.1.display()),
    ];
    let set: Vec<&str> = set.iter().map(String::as_str).collect();
    let cluster = Cluster::start(Layout::default().set(&set).token(&token("harness"))).await;
    the_right_ones_are_let_in(&cluster).await;
    let refused = wrong_tokens(&cluster).await + wrong_tenants(&cluster).await;

    let authority = fs::read(ours.file("cert")).unwrap();
    let ours_good = Grpc::tls(&authority, Some(&identity(&member)));
    let strangers = [
        ("plain text", Grpc::default(), "http"),
        ("no certificate", Grpc::tls(&authority, None), "https"),
        (
            "another authority's certificate",
            Grpc::tls(&authority, Some(&identity(&other.sign("member")))),
            "https",
        ),
    ];
    let (mut let_in, mut shut_out) = (0, 0);
    for (address, method, message) in calls(&cluster) {
        let metadata = [("x-scope-orgid", "a"), ("authorization", &format!("Bearer {}", token("a")))];
        let https = address.replacen("http", "https", 1);
        let answer = ours_good.call(&https, &method, &metadata, &message, PATIENCE).await;
        let_in += usize::from(answer.is_ok_and(|answer| answer.http_status == 200));
        for (what, grpc, scheme) in &strangers {
            let address = address.replacen("http", scheme, 1);
            let answer = grpc.call(&address, &method, &metadata, &message, PATIENCE).await;
            let refused = answer.as_ref().map_or(true, |answer| answer.http_status != 200);
            assert!(refused, "{method} with {what} was answered with {answer:?}");
            shut_out += 1;
        }
    }
    assert!(let_in > 20, "with the right certificate only {let_in} calls were answered");
    // Nor is there anything for who trusts nobody of ours.
    let wrong = Grpc::tls(&fs::read(other.file("cert")).unwrap(), Some(&identity(&member)));
    let (address, method, message) = calls(&cluster).swap_remove(0);
    let https = address.replacen("http", "https", 1);
    assert!(
        wrong.call(&https, &method, &[], &message, PATIENCE).await.is_err(),
        "another authority's server was believed"
    );
    tell(&format!(
        "row 30: 100 % of {refused} requests with wrong tokens were answered with 401 or 403, and of {shut_out} \
         gRPC calls without a certificate or with a wrong one none was answered; {let_in} with the right one were"
    ));
}

const PATIENCE: Duration = Duration::from_millis(700);

async fn the_right_ones_are_let_in(cluster: &Cluster) {
    let (distributor, querier) = (&cluster.bases(Role::Distributor)[0], &cluster.bases(Role::Querier)[0]);
    let a = Http::with_token(&token("a"));
    let now = now_ms();
    let body = Version::V1.body(&[TimeSeries::new(&[("__name__", "of_a")], &[(now, 1.0)])]);
    let written =
        a.send("POST", &format!("{distributor}/api/v1/write"), Version::V1.headers(), body).await.unwrap();
    assert_eq!(written.status / 100, 2, "{}", written.body);
    let read = a.get(&format!("{querier}/api/v1/query?query=of_a")).await.unwrap();
    assert!(read.status == 200 && read.body.contains("of_a"), "{} {}", read.status, read.body);
    // The tenant of a token that is for one is that one; it may be said, too.
    let url = format!("{querier}/api/v1/query?query=of_a");
    let named = a.send("GET", &url, &[("x-scope-orgid", "a")], Vec::new()).await.unwrap();
    assert_eq!(named.status, 200, "{}", named.body);
}

/// Every path, with every kind of token that is none, from whoever says to be A.
async fn wrong_tokens(cluster: &Cluster) -> usize {
    let http = Http::default();
    let mut refused = 0;
    let basic = "Basic YTp3cm9uZw==";
    let (bearer, lower) =
        (format!("Bearer {}x", token("a")), format!("Bearer {}", token("a").to_uppercase()));
    let forged: [&[(&str, &str)]; 6] = [
        &[],
        &[("authorization", &bearer)],
        &[("authorization", &lower)],
        &[("authorization", basic)],
        &[("authorization", "Bearer ")],
        &[("x-forwarded-user", "a"), ("x-yagura-tenant", "a")],
    ];
    for endpoint in endpoints() {
        for role in [Role::Distributor, Role::Ingester, Role::Querier] {
            let base = &cluster.bases(role)[0];
            for headers in forged {
                let headers = [headers, &[("x-scope-orgid", "a")]].concat();
                let url = format!("{base}{}?query=of_a&token={}", endpoint.path, token("a"));
                let answer = http.send(endpoint.method, &url, &headers, Vec::new()).await.unwrap();
                if endpoint.kind == Kind::Open {
                    assert_eq!(answer.status, 200, "{}", endpoint.path);
                    continue;
                }
                // Where a role has no such path it need not say so to strangers.
                assert!(
                    [401, 403].contains(&answer.status),
                    "{} {} with {headers:?}: {} {}",
                    endpoint.method,
                    endpoint.path,
                    answer.status,
                    answer.body
                );
                refused += 1;
            }
        }
    }
    refused
}

/// Good tokens that are not for this tenant, or not for this.
async fn wrong_tenants(cluster: &Cluster) -> usize {
    let mut refused = 0;
    for endpoint in endpoints() {
        let role = if endpoint.kind == Kind::Write { Role::Distributor } else { Role::Querier };
        let url = format!("{}{}?query=of_a&match[]=of_a", cluster.bases(role)[0], endpoint.path);
        let tries: &[(&str, &str)] = match endpoint.kind {
            Kind::Open => &[],
            // Another tenant's, and one's own without the right to it.
            Kind::Data => {
                &[("reader-of-b", "a"), ("reader-of-b", "a|b"), ("reader-of-b", "b|a"), ("writer-of-b", "b")]
            }
            Kind::Read => &[("writer-of-b", "b")],
            Kind::Write => &[("writer-of-b", "a"), ("reader-of-b", "b"), ("reader-of-b", "a")],
            Kind::Rules if endpoint.method == "GET" => &[("reader-of-b", "a"), ("writer-of-b", "b")],
            Kind::Rules => &[("a", "a"), ("reader-of-b", "b"), ("writer-of-b", "b")],
            Kind::Admin | Kind::Fatal => &[("a", "a"), ("reader-of-b", "b"), ("writer-of-b", "b")],
        };
        for (name, tenant) in tries {
            let http = Http::with_token(&token(name));
            let answer =
                http.send(endpoint.method, &url, &[("x-scope-orgid", tenant)], Vec::new()).await.unwrap();
            assert!(
                [401, 403].contains(&answer.status),
                "{} {} with the token of {name} for tenant {tenant}: {} {}",
                endpoint.method,
                endpoint.path,
                answer.status,
                answer.body
            );
            refused += 1;
        }
    }
    refused
}

//! The options of curl, and what each means for a request.

/// What an option means for the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    Method,
    Url,
    UrlQuery,
    Target,
    Header,
    Cookie,
    Agent,
    Referer,
    Range,
    /// Text, or a file whose line ends are dropped.
    Data,
    /// Text, or a file as it is.
    DataBinary,
    /// Text, never a file.
    DataRaw,
    DataEncoded,
    Json,
    Part,
    PartText,
    Upload,
    User,
    Bearer,
    DefaultScheme,
    Head,
    Get,
    NoGlobs,
    PathAsIs,
    Netrc,
    NetrcFile,
    /// Nothing, and it has no value.
    Nothing,
    /// Nothing, and it has a value.
    NothingOf,
    /// It changes how curl connects or tries, which a tool does not: what to say. It has no value.
    Told(&'static str),
    /// As `Told`, with a value.
    ToldOf(&'static str),
    /// A tool cannot say it: why.
    Refused(&'static str),
}

impl Does {
    /// Whether the option has a value.
    pub(super) fn takes_value(self) -> bool {
        !matches!(
            self,
            Does::Head
                | Does::Get
                | Does::NoGlobs
                | Does::PathAsIs
                | Does::Netrc
                | Does::Nothing
                | Does::Told(_)
                | Does::Refused(_)
        )
    }
}

use Does::{
    Agent, Bearer, Cookie, Data, DataBinary, DataEncoded, DataRaw, DefaultScheme, Get, Head,
    Header, Json, Method, Netrc, NetrcFile, NoGlobs, Nothing, NothingOf, Part, PartText, PathAsIs,
    Range, Referer, Refused, Target, Told, ToldOf, Upload, Url, UrlQuery, User,
};

const TIME: &str = "limits of time and size are left out; `limits` in service.yaml sets them";
const TRY: &str = "its retries are left out; `retry` in service.yaml sets them";
const PROXY: &str = "its proxy is left out; the variables HTTPS_PROXY and HTTP_PROXY name one";
const TLS: &str =
    "its options for TLS are left out; a tool always checks the service's certificate";
const ROUTE: &str =
    "the address that it connects to is left out; a tool goes to the host of its URL";
const LOGIN: &str = "this way of logging in is not supported";
const CERT: &str = "a certificate of the client is not supported";
const OTHER: &str = "this is not for HTTP";

/// Each option: its letter (a blank if it has none), its name, and what it does.
const OPTIONS: &[(char, &str, Does)] = &[
    ('X', "request", Method),
    (' ', "url", Url),
    (' ', "url-query", UrlQuery),
    (' ', "request-target", Target),
    ('H', "header", Header),
    ('b', "cookie", Cookie),
    ('A', "user-agent", Agent),
    ('e', "referer", Referer),
    ('r', "range", Range),
    ('d', "data", Data),
    (' ', "data-ascii", Data),
    (' ', "data-binary", DataBinary),
    (' ', "data-raw", DataRaw),
    (' ', "data-urlencode", DataEncoded),
    (' ', "json", Json),
    ('F', "form", Part),
    (' ', "form-string", PartText),
    ('T', "upload-file", Upload),
    ('u', "user", User),
    (' ', "oauth2-bearer", Bearer),
    (' ', "proto-default", DefaultScheme),
    ('I', "head", Head),
    ('G', "get", Get),
    ('g', "globoff", NoGlobs),
    (' ', "path-as-is", PathAsIs),
    ('n', "netrc", Netrc),
    (' ', "netrc-optional", Netrc),
    (' ', "netrc-file", NetrcFile),
    // What is done with the answer.
    ('s', "silent", Nothing),
    ('S', "show-error", Nothing),
    ('L', "location", Nothing),
    (' ', "location-trusted", Nothing),
    (' ', "post301", Nothing),
    (' ', "post302", Nothing),
    (' ', "post303", Nothing),
    ('i', "include", Nothing),
    ('v', "verbose", Nothing),
    ('f', "fail", Nothing),
    (' ', "fail-with-body", Nothing),
    (' ', "fail-early", Nothing),
    (' ', "compressed", Nothing),
    ('N', "buffer", Nothing),
    ('#', "progress-bar", Nothing),
    (' ', "progress-meter", Nothing),
    ('j', "junk-session-cookies", Nothing),
    ('J', "remote-header-name", Nothing),
    ('O', "remote-name", Nothing),
    (' ', "remote-name-all", Nothing),
    ('R', "remote-time", Nothing),
    (' ', "remove-on-error", Nothing),
    (' ', "create-dirs", Nothing),
    (' ', "clobber", Nothing),
    (' ', "raw", Nothing),
    (' ', "tr-encoding", Nothing),
    (' ', "styled-output", Nothing),
    (' ', "suppress-connect-headers", Nothing),
    (' ', "trace-time", Nothing),
    (' ', "trace-ids", Nothing),
    (' ', "xattr", Nothing),
    (' ', "ignore-content-length", Nothing),
    ('q', "disable", Nothing),
    ('Z', "parallel", Nothing),
    (' ', "parallel-immediate", Nothing),
    (' ', "disallow-username-in-url", Nothing),
    (' ', "basic", Nothing),
    ('o', "output", NothingOf),
    (' ', "output-dir", NothingOf),
    (' ', "create-file-mode", NothingOf),
    ('w', "write-out", NothingOf),
    ('c', "cookie-jar", NothingOf),
    ('D', "dump-header", NothingOf),
    (' ', "stderr", NothingOf),
    (' ', "trace", NothingOf),
    (' ', "trace-ascii", NothingOf),
    (' ', "trace-config", NothingOf),
    (' ', "libcurl", NothingOf),
    (' ', "etag-save", NothingOf),
    (' ', "parallel-max", NothingOf),
    (' ', "rate", NothingOf),
    (' ', "hsts", NothingOf),
    (' ', "alt-svc", NothingOf),
    (' ', "max-redirs", NothingOf),
    // How it connects.
    ('0', "http1.0", Nothing),
    (' ', "http0.9", Nothing),
    (' ', "http1.1", Nothing),
    (' ', "http2", Nothing),
    (' ', "http2-prior-knowledge", Nothing),
    (' ', "http3", Nothing),
    (' ', "http3-only", Nothing),
    (' ', "alpn", Nothing),
    (' ', "npn", Nothing),
    (' ', "sessionid", Nothing),
    (' ', "keepalive", Nothing),
    (' ', "keepalive-time", NothingOf),
    (' ', "keepalive-cnt", NothingOf),
    (' ', "tcp-fastopen", Nothing),
    (' ', "tcp-nodelay", Nothing),
    ('4', "ipv4", Told(ROUTE)),
    ('6', "ipv6", Told(ROUTE)),
    (' ', "resolve", ToldOf(ROUTE)),
    (' ', "connect-to", ToldOf(ROUTE)),
    (' ', "interface", ToldOf(ROUTE)),
    (' ', "local-port", ToldOf(ROUTE)),
    (' ', "dns-interface", ToldOf(ROUTE)),
    (' ', "dns-ipv4-addr", ToldOf(ROUTE)),
    (' ', "dns-ipv6-addr", ToldOf(ROUTE)),
    (' ', "dns-servers", ToldOf(ROUTE)),
    (' ', "doh-url", ToldOf(ROUTE)),
    (' ', "doh-insecure", Told(ROUTE)),
    (' ', "doh-cert-status", Told(ROUTE)),
    (' ', "haproxy-protocol", Told(ROUTE)),
    (' ', "haproxy-clientip", ToldOf(ROUTE)),
    (' ', "happy-eyeballs-timeout-ms", ToldOf(TIME)),
    (' ', "expect100-timeout", ToldOf(TIME)),
    ('m', "max-time", ToldOf(TIME)),
    (' ', "connect-timeout", ToldOf(TIME)),
    (' ', "max-filesize", ToldOf(TIME)),
    (' ', "limit-rate", ToldOf(TIME)),
    ('Y', "speed-limit", ToldOf(TIME)),
    ('y', "speed-time", ToldOf(TIME)),
    (' ', "retry", ToldOf(TRY)),
    (' ', "retry-delay", ToldOf(TRY)),
    (' ', "retry-max-time", ToldOf(TRY)),
    (' ', "retry-all-errors", Told(TRY)),
    (' ', "retry-connrefused", Told(TRY)),
    ('x', "proxy", ToldOf(PROXY)),
    ('U', "proxy-user", ToldOf(PROXY)),
    (' ', "preproxy", ToldOf(PROXY)),
    (' ', "proxy1.0", ToldOf(PROXY)),
    (' ', "proxy-header", ToldOf(PROXY)),
    (' ', "proxy-insecure", Told(PROXY)),
    (' ', "proxy-basic", Told(PROXY)),
    (' ', "proxy-anyauth", Told(PROXY)),
    (' ', "proxy-digest", Told(PROXY)),
    (' ', "proxy-ntlm", Told(PROXY)),
    (' ', "proxy-negotiate", Told(PROXY)),
    (' ', "proxy-cacert", ToldOf(PROXY)),
    (' ', "proxy-cert", ToldOf(PROXY)),
    (' ', "proxy-key", ToldOf(PROXY)),
    (' ', "proxy-pass", ToldOf(PROXY)),
    ('p', "proxytunnel", Told(PROXY)),
    (' ', "socks4", ToldOf(PROXY)),
    (' ', "socks4a", ToldOf(PROXY)),
    (' ', "socks5", ToldOf(PROXY)),
    (' ', "socks5-hostname", ToldOf(PROXY)),
    (' ', "socks5-basic", Told(PROXY)),
    (' ', "noproxy", ToldOf(PROXY)),
    ('k', "insecure", Told(TLS)),
    (' ', "cacert", ToldOf(TLS)),
    (' ', "capath", ToldOf(TLS)),
    (' ', "ca-native", Told(TLS)),
    (' ', "cert-status", Told(TLS)),
    (' ', "ciphers", ToldOf(TLS)),
    (' ', "tls13-ciphers", ToldOf(TLS)),
    (' ', "curves", ToldOf(TLS)),
    (' ', "crlfile", ToldOf(TLS)),
    (' ', "tls-max", ToldOf(TLS)),
    (' ', "pinnedpubkey", ToldOf(TLS)),
    ('1', "tlsv1", Told(TLS)),
    (' ', "tlsv1.0", Told(TLS)),
    (' ', "tlsv1.1", Told(TLS)),
    (' ', "tlsv1.2", Told(TLS)),
    (' ', "tlsv1.3", Told(TLS)),
    ('2', "sslv2", Told(TLS)),
    ('3', "sslv3", Told(TLS)),
    (' ', "ssl", Told(TLS)),
    (' ', "ssl-reqd", Told(TLS)),
    (' ', "ssl-no-revoke", Told(TLS)),
    (' ', "ssl-allow-beast", Told(TLS)),
    (' ', "ssl-revoke-best-effort", Told(TLS)),
    (' ', "false-start", Told(TLS)),
    (
        ' ',
        "proto",
        ToldOf("its list of protocols is left out; a tool uses http or https"),
    ),
    (
        ' ',
        "proto-redir",
        ToldOf("its list of protocols is left out; a tool uses http or https"),
    ),
    (' ', "crlf", Refused("it changes the line ends of a file")),
    ('B', "use-ascii", Refused(OTHER)),
    // What a tool cannot say.
    (
        ':',
        "next",
        Refused("it begins another request; import the requests one by one"),
    ),
    (
        'K',
        "config",
        Refused("it reads options from a file; write them on the command line"),
    ),
    (
        ' ',
        "variable",
        Refused("variables of curl are not supported; write their values"),
    ),
    (
        ' ',
        "unix-socket",
        Refused("a tool cannot connect through a Unix socket"),
    ),
    (
        ' ',
        "abstract-unix-socket",
        Refused("a tool cannot connect through a Unix socket"),
    ),
    (' ', "digest", Refused(LOGIN)),
    (' ', "ntlm", Refused(LOGIN)),
    (' ', "ntlm-wb", Refused(LOGIN)),
    (' ', "negotiate", Refused(LOGIN)),
    (' ', "anyauth", Refused(LOGIN)),
    (' ', "tlsuser", Refused(LOGIN)),
    (' ', "tlspassword", Refused(LOGIN)),
    (' ', "delegation", Refused(LOGIN)),
    (' ', "krb", Refused(LOGIN)),
    (
        ' ',
        "aws-sigv4",
        Refused("write `auth: { kind: aws_sigv4, ... }` in service.yaml instead"),
    ),
    ('E', "cert", Refused(CERT)),
    (' ', "cert-type", Refused(CERT)),
    (' ', "key", Refused(CERT)),
    (' ', "key-type", Refused(CERT)),
    (' ', "pass", Refused(CERT)),
    (
        'C',
        "continue-at",
        Refused("it goes on with a file that is there in part"),
    ),
    (
        'z',
        "time-cond",
        Refused("it asks by the time of a file; write the header If-Modified-Since"),
    ),
    (
        ' ',
        "etag-compare",
        Refused("it reads a header from a file; write the header If-None-Match"),
    ),
    (' ', "form-escape", Nothing),
    ('a', "append", Refused(OTHER)),
    ('l', "list-only", Refused(OTHER)),
    ('P', "ftp-port", Refused(OTHER)),
    ('Q', "quote", Refused(OTHER)),
    ('t', "telnet-option", Refused(OTHER)),
    (' ', "mail-from", Refused(OTHER)),
    (' ', "mail-rcpt", Refused(OTHER)),
    (' ', "mail-auth", Refused(OTHER)),
    ('h', "help", Refused("it asks for help")),
    ('M', "manual", Refused("it asks for help")),
    ('V', "version", Refused("it asks for curl's version")),
];

/// The option of a letter.
pub(super) fn by_letter(letter: char) -> Option<(&'static str, Does)> {
    let found = OPTIONS
        .iter()
        .find(|(own, ..)| *own == letter && letter != ' ');
    found.map(|(_, name, does)| (*name, *does))
}

/// The option of a name, without the `--`. A beginning that only one option has is enough, and `no-` turns one off.
///
/// # Errors
/// When there is none, or the beginning fits several.
pub(super) fn by_name(name: &str) -> Result<(&'static str, Does), String> {
    let exact = |name: &str| OPTIONS.iter().find(|(_, own, _)| *own == name);
    if let Some((_, name, does)) = exact(name) {
        return Ok((name, *does));
    }
    let turned_off = name.strip_prefix("no-").and_then(exact);
    if let Some((_, name, does)) = turned_off.filter(|(.., does)| !does.takes_value()) {
        return match does {
            Does::Head | Does::Get => Err(format!("the option `--no-{name}` is not known here")),
            _ => Ok((name, Does::Nothing)),
        };
    }
    if name.starts_with("expand-") {
        return Err(format!(
            "the option `--{name}` is not supported: variables of curl are not known here; write their values"
        ));
    }
    let mut fitting = OPTIONS.iter().filter(|(_, own, _)| own.starts_with(name));
    match (fitting.next(), fitting.next()) {
        (Some((_, name, does)), None) if !name.is_empty() => Ok((name, *does)),
        _ => Err(format!("the option `--{name}` is not known here")),
    }
}

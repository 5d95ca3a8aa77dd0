#include "runtime/config/config.hpp"
#include "runtime/config/prices.hpp"
#include "runtime/config/retention.hpp"
#include "schemas/base/network.hpp"
#include "schemas/quota.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <filesystem>
#include <iterator>
#include <limits>
#include <string>
#include <system_error>
#include <unistd.h>

namespace troupe::runtime {

namespace {

constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t day_ms = 24LL * 3600 * 1000;
constexpr std::string_view levels = "trace|debug|info|warn|error|off";

std::optional<std::string> check_address(std::string_view text) {
    const auto colon = text.rfind(':');
    unsigned port = 0;
    const auto digits = colon == text.npos ? std::string_view{} : text.substr(colon + 1);
    const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    if (colon == text.npos || colon == 0 || status != std::errc{} || end != digits.data() + digits.size() ||
        port > 65535) {
        return fmt::format("\"{}\" is no ADDRESS:PORT, as in 127.0.0.1:7117 or [::1]:7117", text);
    }
    return {};
}

/// "https://console.example, http://localhost:3000", or "*".
std::optional<std::string> check_origins(std::string_view text) {
    while (!text.empty()) {
        const auto comma = text.find(',');
        auto item = text.substr(0, comma);
        text = comma == text.npos ? std::string_view{} : text.substr(comma + 1);
        item.remove_prefix(std::min(item.find_first_not_of(' '), item.size()));
        item = item.substr(0, item.find_last_not_of(' ') + 1);
        const auto scheme = item.find("://");
        const bool web = item.starts_with("http://") || item.starts_with("https://");
        if (item != "*" &&
            (!web || item.size() == scheme + 3 || item.find_first_of("/?#@ *", scheme + 3) != item.npos)) {
            return fmt::format("\"{}\" is no origin, as in https://console.example or http://localhost:3000, and not *",
                               item);
        }
    }
    return {};
}

std::optional<std::string> check_module_levels(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find(',', at), text.size());
        const auto item = text.substr(at, end - at);
        const auto equals = item.find('=');
        const auto level = equals == item.npos ? std::string_view{} : item.substr(equals + 1);
        if (equals == 0 || level.empty() || level.find('|') != level.npos ||
            fmt::format("|{}|", levels).find(fmt::format("|{}|", level)) == std::string::npos) {
            return fmt::format("\"{}\" is no MODULE=LEVEL with a level of {}", item, levels);
        }
        at = end + 1;
    }
    return {};
}

/// What whoever reads it later would say.
template <auto read>
std::optional<std::string> check_read(std::string_view text) {
    const auto done = read(text);
    return done ? std::nullopt : std::optional(done.error().detail);
}

std::optional<std::string> check_url(std::string_view text) {
    if (!text.starts_with("http://") && !text.starts_with("https://")) {
        return fmt::format("\"{}\" does not start with http:// or https://", text);
    }
    return {};
}

std::optional<std::string> check_ratio(std::string_view text) {
    double ratio = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), ratio);
    if (status != std::errc{} || end != text.data() + text.size() || !(ratio >= 0 && ratio <= 1)) {
        return fmt::format("\"{}\" is no number from 0 to 1", text);
    }
    return {};
}

std::optional<std::string> check_header_text(std::string_view text) {
    const auto printable = [](unsigned char c) { return c > 0x20 && c < 0x7f; };
    if (!std::ranges::all_of(text, printable)) {
        return "has a blank, a line break or another character that no key has";
    }
    return {};
}

/// A folder, or a file, that the node may read.
template <bool is_folder>
std::optional<std::string> check_path(std::string_view text) {
    const std::filesystem::path path(text);
    std::error_code missing; // is said as "no folder"
    if (!(is_folder ? std::filesystem::is_directory(path, missing) : std::filesystem::is_regular_file(path, missing))) {
        return fmt::format("\"{}\" is no {}", text, is_folder ? "folder" : "file");
    }
    return ::access(path.c_str(), is_folder ? R_OK | X_OK : R_OK) == 0
               ? std::nullopt
               : std::optional(fmt::format("\"{}\" cannot be read: check its permissions", text));
}

} // namespace

std::optional<std::string> check_s3_place(std::string_view text) {
    constexpr std::string_view scheme = "s3://";
    const auto bucket = text.starts_with(scheme)
                            ? text.substr(scheme.size(), text.find('/', scheme.size()) - scheme.size())
                            : std::string_view();
    const auto is_of_name = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
               c == '_';
    };
    const auto printable = [](unsigned char c) { return c > 0x20 && c < 0x7f; };
    if (bucket.size() < 3 || bucket.size() > 63 || !std::ranges::all_of(bucket, is_of_name) ||
        !std::ranges::all_of(text, printable) || text.size() > 512 || text.find("//", scheme.size()) != text.npos) {
        return fmt::format("\"{}\" is no s3://BUCKET/PREFIX", text);
    }
    return {};
}

namespace {

constexpr property table[] = {
    {.name = "listen",
     .member = &config::listen,
     .doc = "Address and port of HTTP and WebSocket. Port 0 takes a free one, which the ready line tells.",
     .min = 1,
     .check = check_address},
    {.name = "data", .member = &config::data, .doc = "Folder of journal, blobs and keys; made when missing.", .min = 1},
    {.name = "shards",
     .member = &config::shards,
     .doc = "Shards of a new data directory; an existing one keeps its own count and refuses another.",
     .min = 1,
     .max = 65536},
    {.name = "log.level",
     .member = &config::log_level,
     .doc = "Least severity that is logged.",
     .choices = levels,
     .reloadable = true},
    {.name = "log.modules",
     .member = &config::log_modules,
     .doc = "Levels of single modules, as in `storage=debug,edge=warn`.",
     .reloadable = true,
     .check = check_module_levels},
    {.name = "log.file", .member = &config::log_file, .doc = "File to log to, rotated; empty: standard error."},
    {.name = "log.json", .member = &config::log_json, .doc = "One JSON object a line instead of text for people."},
    {.name = "log.file_bytes_max",
     .member = &config::log_file_bytes_max,
     .doc = "Size at which the log file is rotated.",
     .unit = "bytes",
     .min = 64 << 10,
     .max = 4LL << 30},
    {.name = "log.files_max",
     .member = &config::log_files_max,
     .doc = "Rotated log files that are kept.",
     .min = 1,
     .max = 1000},
    {.name = "traces.otlp_endpoint",
     .member = &config::traces_otlp_endpoint,
     .doc = "Collector of OpenTelemetry that spans are sent to as OTLP/HTTP with JSON, such as http://127.0.0.1:4318; "
            "/v1/traces is added. Empty: none are sent.",
     .check = check_url},
    {.name = "traces.sample",
     .member = &config::traces_sample,
     .doc = "Which part of the traces that begin here is recorded, from 0 to 1. One that comes with a traceparent is "
            "recorded when its caller does.",
     .min = 1,
     .max = 32,
     .check = check_ratio},
    {.name = "edge.threads",
     .member = &config::edge_threads,
     .doc = "Threads that serve connections; 0: one per processor.",
     .max = 256},
    {.name = "edge.connections_max",
     .member = &config::edge_connections_max,
     .doc = "Open connections; further ones are refused with 503.",
     .min = 1,
     .max = 1'000'000},
    {.name = "edge.connections_per_address_max",
     .member = &config::edge_connections_per_address_max,
     .doc = "Open connections of one address, or of one /64 of IPv6; further ones are refused with 429. This machine "
            "and trusted proxies are bound by edge.connections_max only.",
     .min = 1,
     .max = 1'000'000},
    {.name = "edge.drain_ms",
     .member = &config::edge_drain_ms,
     .doc = "How long open requests may go on after SIGTERM.",
     .unit = "ms",
     .max = 600'000,
     .reloadable = true},
    {.name = "edge.refusal_ms",
     .member = &config::edge_refusal_ms,
     .doc = "About how long a refusal for overload is held back, while nothing more is read from its connection: "
            "clients that repeat themselves at once cost less.",
     .unit = "ms",
     .max = 10'000},
    {.name = "edge.body_bytes",
     .member = &config::edge_body_bytes,
     .doc = "Bodies of requests in hand, all together; further ones are not read before there is room.",
     .unit = "bytes",
     .min = 32LL << 20,
     .max = 64LL << 30},
    {.name = "edge.access_log",
     .member = &config::edge_access_log,
     .doc = "A line in the log for each request, by the module access."},
    {.name = "edge.trusted_proxies",
     .member = &config::edge_trusted_proxies,
     .doc =
         "Addresses and networks of proxies in front, as in 10.0.0.0/8, 192.0.2.1: X-Forwarded-For and Forwarded are "
         "believed from them, and from nobody else.",
     .check = check_read<network_list::parse>},
    {.name = "edge.tls.certificate_file",
     .member = &config::edge_tls_certificate_file,
     .doc = "Certificate (PEM, with the intermediate ones behind it) with which the edge speaks https; empty: plain "
            "HTTP. It is read again when it changes and on SIGHUP.",
     .check = check_path<false>},
    {.name = "edge.tls.key_file",
     .member = &config::edge_tls_key_file,
     .doc = "The certificate's key (PEM, without pass phrase).",
     .check = check_path<false>},
    {.name = "edge.tls.redirect_listen",
     .member = &config::edge_tls_redirect_listen,
     .doc = "Address and port that answers plain HTTP with a redirect to https; empty: none.",
     .check = check_address},
    {.name = "edge.tls.hsts_seconds",
     .member = &config::edge_tls_hsts_seconds,
     .doc = "How long browsers may use this host by https only (Strict-Transport-Security); 0: they are not told.",
     .unit = "s",
     .max = 10LL * 365 * 24 * 3600},
    {.name = "edge.cors.origins",
     .member = &config::edge_cors_origins,
     .doc = "Origins of web pages that may use the API, as in https://console.example, or * for any, but without "
            "cookies; empty: only pages of the node itself.",
     .check = check_origins},
    {.name = "limits.outstanding_commands",
     .member = &config::limits_outstanding_commands,
     .doc = "Commands that were accepted and not yet answered; over it callers get `overloaded`.",
     .min = 1,
     .max = 10'000'000},
    {.name = "limits.outstanding_bytes",
     .member = &config::limits_outstanding_bytes,
     .doc = "Bytes of those commands.",
     .unit = "bytes",
     .min = 1 << 20,
     .max = 64LL << 30},
    {.name = "limits.commands_in_work",
     .member = &config::limits_commands_in_work,
     .doc =
         "Commands that entities and disk work on at the same time; further ones wait, and organizations take turns.",
     .min = 1,
     .max = 1'000'000},
    {.name = "limits.wait_ms",
     .member = &config::limits_wait_ms,
     .doc = "A command that waited longer for its turn is refused with `overloaded`.",
     .unit = "ms",
     .min = 1,
     .max = 600'000},
    {.name = "limits.address_per_second",
     .member = &config::limits_address_per_second,
     .doc = "Requests a second from one address without a valid key: those that are refused, and those that log in. 0: "
            "no limit.",
     .unit = "requests",
     .min = 0,
     .max = 1'000'000},
    {.name = "limits.address_burst",
     .member = &config::limits_address_burst,
     .doc = "So many of them at once.",
     .unit = "requests",
     .min = 1,
     .max = 1'000'000},
    {.name = "limits.caller_per_second",
     .member = &config::limits_caller_per_second,
     .doc = "Requests a second of one user or key. 0: no limit.",
     .unit = "requests",
     .min = 0,
     .max = 1'000'000},
    {.name = "limits.caller_burst",
     .member = &config::limits_caller_burst,
     .doc = "So many of them at once.",
     .unit = "requests",
     .min = 1,
     .max = 1'000'000},
    {.name = "limits.organization_per_second",
     .member = &config::limits_organization_per_second,
     .doc = "Requests a second of all of an organization together. 0: no limit.",
     .unit = "requests",
     .min = 0,
     .max = 1'000'000},
    {.name = "limits.organization_burst",
     .member = &config::limits_organization_burst,
     .doc = "So many of them at once.",
     .unit = "requests",
     .min = 1,
     .max = 1'000'000},
    {.name = "watchdog.stall_ms",
     .member = &config::watchdog_stall_ms,
     .doc = "An actor that is in one handler for so long is logged and shown as stalled.",
     .unit = "ms",
     .min = 500,
     .max = day_ms},
    {.name = "watchdog.end_ms",
     .member = &config::watchdog_end_ms,
     .doc = "When committer, routers, timers or an edge thread stall for so long, the process ends (exit code 71); "
            "0: never.",
     .unit = "ms",
     .max = day_ms},
    {.name = "entity.idle_ms",
     .member = &config::entity_idle_ms,
     .doc = "An entity without commands for so long leaves memory (passivation).",
     .unit = "ms",
     .min = 100,
     .max = day_ms},
    {.name = "entity.active_max",
     .member = &config::entity_active_max,
     .doc = "Entities in memory, about: beyond, those that were idle longest leave at once (about 10 kB each).",
     .min = 100,
     .max = 10'000'000},
    {.name = "snapshot.events",
     .member = &config::snapshot_events,
     .doc = "Events of an entity between two snapshots: less is a faster recovery, more is less writing.",
     .min = 1,
     .max = 100'000},
    {.name = "snapshot.bytes",
     .member = &config::snapshot_bytes,
     .doc = "Or bytes of events, when they are more than the last snapshot has itself.",
     .unit = "bytes",
     .min = 4 << 10,
     .max = 1 << 30},
    {.name = "snapshot.idle_events",
     .member = &config::snapshot_idle_events,
     .doc = "An entity that leaves memory writes a snapshot when it has so many events since the last one; fewer are "
            "read again sooner than a snapshot is written.",
     .min = 1,
     .max = 100'000},
    {.name = "dedup.window_ms",
     .member = &config::dedup_window_ms,
     .doc = "How long a repeated command (`Idempotency-Key`) gets the first answer. No retention is shorter.",
     .unit = "ms",
     .min = 1000,
     .max = 30 * day_ms},
    {.name = "storage.free_bytes_min",
     .member = &config::storage_free_bytes_min,
     .doc = "Below this free space writes are refused with `storage_full`; reads go on.",
     .unit = "bytes",
     .min = 16LL << 20,
     .max = 1LL << 40},
    {.name = "storage.copied",
     .member = &config::storage_copied,
     .doc =
         "What to do with a data directory that is a copy of another: `adopt` it when the original is gone for good.",
     .choices = "refuse|adopt"},
    {.name = "storage.cache_bytes",
     .member = &config::storage_cache_bytes,
     .doc = "Memory for the block cache of the store.",
     .unit = "bytes",
     .min = 1 << 20,
     .max = 1LL << 40},
    {.name = "timers.lateness_ms",
     .member = &config::timers_lateness_ms,
     .doc = "A durable timer that fires later than this is logged and counted (troupe_timers_late_total).",
     .unit = "ms",
     .min = 100,
     .max = day_ms},
    {.name = "retention.history_ms",
     .member = &config::retention_history_ms,
     .doc = "How long the events of an entity are kept; then its state stands for them. 0: for ever.",
     .unit = "ms",
     .max = 100 * 365 * day_ms},
    {.name = "retention.kinds",
     .member = &config::retention_kinds,
     .doc = "The same for single kinds, as in `run=90d,task=0`, with the units d, h, m, s and ms.",
     .check = check_read<parse_retention_kinds>},
    {.name = "retention.log_ms",
     .member = &config::retention_log_ms,
     .doc =
         "How far the feed of events, exports and restores to a moment reach back: older records of the log are "
         "removed, entities keep their events. So long an effect that is sent again is recognised, too. 0: for ever.",
     .unit = "ms",
     .max = 100 * 365 * day_ms},
    {.name = "blobs.grace_ms",
     .member = &config::blobs_grace_ms,
     .doc =
         "How long a content stays that nothing names any more. A backup can be restored to a moment at most so long "
         "before it was made.",
     .unit = "ms",
     .min = 1000,
     .max = 3650 * day_ms},
    {.name = "blobs.collect_every_ms",
     .member = &config::blobs_collect_every_ms,
     .doc = "Time between two searches for contents that nothing names; 0: nothing is ever collected.",
     .unit = "ms",
     .max = 365 * day_ms},
    {.name = "backup.directory",
     .member = &config::backup_directory,
     .doc = "Folder of backups, best on another disk; empty: `backups` in the data folder."},
    {.name = "backup.every_ms",
     .member = &config::backup_every_ms,
     .doc = "Time between two backups on schedule; 0: none.",
     .unit = "ms",
     .max = 365 * day_ms},
    {.name = "backup.keep",
     .member = &config::backup_keep,
     .doc = "Backups on schedule that are kept; older ones are deleted. Those that somebody asked for stay.",
     .min = 1,
     .max = 10'000},
    {.name = "backup.s3.place",
     .member = &config::backup_s3_place,
     .doc =
         "Bucket and prefix that every backup is copied to, as s3://BUCKET/PREFIX, at S3 or what speaks its protocol; "
         "empty: none.",
     .check = check_s3_place},
    {.name = "backup.s3.endpoint",
     .member = &config::backup_s3_endpoint,
     .doc = "URL of that service; empty: Amazon's of the region.",
     .fallback = "AWS_ENDPOINT_URL",
     .check = check_url},
    {.name = "backup.s3.region",
     .member = &config::backup_s3_region,
     .doc = "Region that requests are signed for.",
     .fallback = "AWS_REGION",
     .check = check_header_text},
    {.name = "backup.s3.access_key",
     .member = &config::backup_s3_access_key,
     .doc = "Access key; best given by the environment.",
     .secret = true,
     .fallback = "AWS_ACCESS_KEY_ID",
     .check = check_header_text},
    {.name = "backup.s3.secret_key",
     .member = &config::backup_s3_secret_key,
     .doc = "Secret key; best given by the environment.",
     .secret = true,
     .fallback = "AWS_SECRET_ACCESS_KEY",
     .check = check_header_text},
    {.name = "backup.s3.session_token",
     .member = &config::backup_s3_session_token,
     .doc = "Token of temporary credentials; best given by the environment.",
     .max = 65536,
     .secret = true,
     .fallback = "AWS_SESSION_TOKEN",
     .check = check_header_text},
    {.name = "backup.s3.ca_file",
     .member = &config::backup_s3_ca_file,
     .doc = "Certificates (PEM) that the service's is checked against; empty: the system's.",
     .check = check_path<false>},
    {.name = "secrets.key_file",
     .member = &config::secrets_key_file,
     .doc = "File with the master key that protects secrets; empty: secrets.key in the data folder, made on the first "
            "start. Keep a copy apart from backups: without it no secret can be opened again.",
     .check = check_path<false>},
    {.name = "secrets.key",
     .member = &config::secrets_key,
     .doc = "The master key itself, instead of a file; best given by the environment. Older keys may follow it, by "
            "commas: they open what is not wrapped anew yet.",
     .secret = true},
    {.name = "identity.registration",
     .member = &config::identity_registration,
     .doc =
         "Who may register: nobody (`off`), who has an invitation (`invite`), or everyone (`open`), who then gets an "
         "organization of their own.",
     .choices = "off|invite|open"},
    {.name = "identity.access_token_ms",
     .member = &config::identity_access_token_ms,
     .doc = "How long an access token is good; then it is renewed with the session's refresh token.",
     .unit = "ms",
     .min = 1000,
     .max = day_ms},
    {.name = "identity.session_ms",
     .member = &config::identity_session_ms,
     .doc = "How long a session lasts without being used; each use of its refresh token begins that time anew.",
     .unit = "ms",
     .min = 1000,
     .max = 365 * day_ms},
    {.name = "identity.password_length_min",
     .member = &config::identity_password_length_min,
     .doc = "The fewest characters of a password.",
     .min = 8,
     .max = 128},
    {.name = "identity.step_up_ms",
     .member = &config::identity_step_up_ms,
     .doc = "So long after a person proved who it is, it may do what is dangerous: make keys, change rights, rotate "
            "secrets. Then POST /api/v1/auth/step-up asks for the password or the second factor again. 0: never.",
     .unit = "ms",
     .max = 365 * day_ms},
    {.name = "sandbox",
     .member = &config::sandbox,
     .doc = "How commands of agents are confined. `none` gives them the rights of the node: only for trusted work.",
     .choices = "bubblewrap|none"},
    {.name = "model.default",
     .member = &config::model_default,
     .doc = "Model of runs that name none: `rehearsal`, `rehearsal:NAME`, `openai` or `openai/NAME`; empty: `openai` "
            "when it has a key or a base URL, else `rehearsal`."},
    {.name = "model.scripts",
     .member = &config::model_scripts,
     .doc = "Folder of scripts of the rehearsal model; empty: only the embedded one.",
     .check = check_path<true>},
    {.name = "model.prices",
     .member = &config::model_prices,
     .doc = "What models cost for a million input and output tokens, as in `openai/gpt-4.1-mini=0.40/1.60`, by commas. "
            "Runs with a limit of money need the price of their model.",
     .max = 65536,
     .check = check_read<parse_prices>},
    {.name = "model.openai.base_url",
     .member = &config::model_openai_base_url,
     .doc = "Base URL of any server with `/chat/completions`; empty: https://api.openai.com/v1.",
     .fallback = "OPENAI_BASE_URL",
     .check = check_url},
    {.name = "model.openai.api_key",
     .member = &config::model_openai_api_key,
     .doc = "Key of that server; best `secret:NAME`, a secret that the node keeps, else given by the environment.",
     .secret = true,
     .fallback = "OPENAI_API_KEY",
     .check = check_header_text},
    {.name = "model.openai.model",
     .member = &config::model_openai_model,
     .doc = "The provider's name of the model that `openai` alone means."},
    {.name = "model.openai.ca_file",
     .member = &config::model_openai_ca_file,
     .doc = "Certificates (PEM) that the server's is checked against; empty: the system's.",
     .check = check_path<false>},
    {.name = "plans.free",
     .member = &config::plans_free,
     .doc =
         "Limits of organizations on the plan `free`, by commas: agents, tasks_per_day, storage_bytes, tokens_per_day "
         "(days of UTC); what is left out has no limit. A limit of one organization stands in its place.",
     .check = check_read<parse_quota_limits>},
    {.name = "plans.pro",
     .member = &config::plans_pro,
     .doc = "Limits of organizations on the plan `pro`.",
     .check = check_read<parse_quota_limits>},
    {.name = "plans.enterprise",
     .member = &config::plans_enterprise,
     .doc = "Limits of organizations on the plan `enterprise`, which the node's own has; empty: none.",
     .check = check_read<parse_quota_limits>},
    {.name = "plans.prices",
     .member = &config::plans_prices,
     .doc = "What invoices charge, by commas: a plan's fee of a month (`pro=20.00`), `task=0.0001` for each one, "
            "`agent=1.00` and `storage_gb=0.10` for the most of a month. Models are charged at `model.prices`.",
     .check = check_read<parse_plan_prices>},
    {.name = "plans.currency",
     .member = &config::plans_currency,
     .doc = "Of all prices, as ISO 4217 writes it.",
     .min = 3,
     .max = 3},
    {.name = "budget.steps",
     .member = &config::budget_steps,
     .doc = "Model calls of a run that sets no limit.",
     .min = 1,
     .max = 10'000},
    {.name = "budget.tokens",
     .member = &config::budget_tokens,
     .doc = "Input and output tokens of a run that sets no limit.",
     .unit = "tokens",
     .min = 1,
     .max = no_limit},
    {.name = "budget.time_ms",
     .member = &config::budget_time_ms,
     .doc = "Working time of a run that sets no limit, without waits for people.",
     .unit = "ms",
     .min = 1000,
     .max = no_limit},
    {.name = "budget.cost_micros",
     .member = &config::budget_cost_micros,
     .doc = "Cost of a run that sets no limit.",
     .unit = "millionths of the currency unit",
     .max = no_limit},
};

} // namespace

std::span<const property> properties() { return table; }

const property* find_property(std::string_view name) {
    const auto found = std::ranges::find(table, name, &property::name);
    return found == std::end(table) ? nullptr : &*found;
}

std::string environment_name(const property& p) {
    std::string name = "TROUPE_";
    for (const char c : p.name) {
        name += c == '.' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    return name;
}

} // namespace troupe::runtime

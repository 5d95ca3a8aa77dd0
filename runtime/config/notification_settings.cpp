#include "runtime/config/notification_settings.hpp"

#include "schemas/base/described.hpp"

#include <fmt/format.h>

#include <optional>
#include <utility>
#include <vector>

namespace troupe::runtime {

namespace {

struct written_smtp {
    std::string url;
    std::string from;
    std::string user;
    std::string password;
    std::string ca_file;
    static constexpr field_rule rules[] = {{.name = "url", .required = true, .min = 1, .max = 300},
                                           {.name = "from", .required = true, .min = 3, .max = 254},
                                           {.name = "user", .max = 320},
                                           {.name = "password", .max = 1024},
                                           {.name = "ca_file", .max = 4096}};
};
BOOST_DESCRIBE_STRUCT(written_smtp, (), (url, from, user, password, ca_file))

struct written_settings {
    std::optional<written_smtp> smtp;
    std::string webhook_allow;
    std::string templates;
    std::optional<std::int64_t> batch_ms;
    std::optional<std::int64_t> retry_ms;
    static constexpr field_rule rules[] = {{.name = "webhook_allow", .max = 10'000},
                                           {.name = "templates", .max = 4096},
                                           {.name = "batch_ms", .min = 0, .max = 24LL * 3600 * 1000},
                                           {.name = "retry_ms", .min = 10, .max = 3600 * 1000}};
};
BOOST_DESCRIBE_STRUCT(written_settings, (), (smtp, webhook_allow, templates, batch_ms, retry_ms))

problem wrong(std::vector<field_error> errors) {
    std::string text;
    for (const auto& e : errors) {
        text += (text.empty() ? "" : "; ") + e.pointer + ": " + e.message;
    }
    return {code::config_invalid, std::move(text), std::move(errors)};
}

/// smtp://HOST:PORT or smtps://HOST:PORT
bool read_url(std::string_view url, notification_settings& into) {
    constexpr std::string_view open = "smtp://";
    constexpr std::string_view secured = "smtps://";
    into.smtp_tls = url.starts_with(secured);
    if (!into.smtp_tls && !url.starts_with(open)) {
        return false;
    }
    url.remove_prefix(into.smtp_tls ? secured.size() : open.size());
    const auto colon = url.rfind(':');
    if (colon == std::string_view::npos || colon == 0 || url.size() - colon > 6 || colon + 1 == url.size() ||
        url.substr(colon + 1).find_first_not_of("0123456789") != std::string_view::npos ||
        url.find_first_of("/@ ") != std::string_view::npos) {
        return false;
    }
    auto host = url.substr(0, colon);
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
    }
    into.smtp_host = host;
    into.smtp_port = url.substr(colon + 1);
    return !host.empty();
}

} // namespace

expected<notification_settings> parse_notification_settings(std::string_view text) {
    notification_settings out;
    if (text.empty()) {
        return out;
    }
    auto read = from_json<written_settings>(text, strictness::input);
    if (!read) {
        const auto& why = read.error();
        return why.errors.empty() ? problem{code::config_invalid, why.detail} : wrong(why.errors);
    }
    std::vector<field_error> errors;
    if (auto& smtp = read->smtp) {
        if (!read_url(smtp->url, out)) {
            errors.push_back({"/smtp/url", "expected smtp://HOST:PORT or smtps://HOST:PORT"});
        }
        out.smtp_from = std::move(smtp->from);
        out.smtp_user = std::move(smtp->user);
        out.smtp_password = std::move(smtp->password);
        out.smtp_ca_file = std::move(smtp->ca_file);
    }
    if (auto allowed = fetch_policy::parse(read->webhook_allow)) {
        out.webhook_allow = std::move(*allowed);
    } else {
        errors.push_back({"/webhook_allow", allowed.error().detail});
    }
    out.templates = std::move(read->templates);
    out.batch_ms = read->batch_ms.value_or(out.batch_ms);
    out.retry_ms = read->retry_ms.value_or(out.retry_ms);
    return errors.empty() ? expected<notification_settings>(std::move(out)) : wrong(std::move(errors));
}

} // namespace troupe::runtime

#include "actors/notification/notification_desk.hpp"

#include "actors/common/principals.hpp"
#include "actors/common/secret_value.hpp"
#include "actors/common/stored.hpp"
#include "actors/common/webhook.hpp"
#include "actors/notification/quiet.hpp"
#include "net/client/http_client.hpp"
#include "net/smtp/mime_message.hpp"
#include "net/smtp/smtp_client.hpp"
#include "schemas/auth.hpp"
#include "schemas/base/cipher.hpp"
#include "schemas/base/clock.hpp"
#include "schemas/base/durable_file.hpp"
#include "schemas/base/log.hpp"
#include "schemas/user.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace troupe::actors {
namespace {

constexpr std::string_view key_name = "notifications.webhooks";
constexpr std::size_t settings_bytes_max = 1 << 20;
constexpr std::int64_t post_time_out_ms = 15'000;
constexpr std::int64_t retry_ms_max = 6LL * 3600 * 1000;
constexpr std::size_t error_bytes_max = 500;
constexpr int gone = 410;

/// What is posted. The same in each attempt.
struct posted_notification {
    uuid delivery_id;
    uuid organization_id;
    notification_document notification;
};
BOOST_DESCRIBE_STRUCT(posted_notification, (), (delivery_id, organization_id, notification))

bool wants(const notification_preferences& p, notification_channel channel) {
    const auto has = [&](const std::vector<notification_channel>& all) { return std::ranges::count(all, channel) > 0; };
    return (p.channels && has(*p.channels)) ||
           (p.by_kind && std::ranges::any_of(*p.by_kind, [&](const kind_channels& k) { return has(k.channels); }));
}

std::int64_t wait_before(std::int64_t first_ms, std::uint32_t attempt) {
    return std::min(first_ms << std::min(attempt - 1, 20U), retry_ms_max);
}

problem never(std::string detail) { return {code::invalid_request, std::move(detail)}; }

bool is_for_good(code c) { return c == code::invalid_request || c == code::forbidden; }

} // namespace

expected<std::unique_ptr<notification_desk>>
notification_desk::open(const runtime::config& settings, const storage::store& s, notification_secrets secrets) {
    const auto file = std::filesystem::path(settings.data) / "notifications.json";
    const auto text = read_whole_file(file, settings_bytes_max);
    if (!text && text.error().code != code::not_found) {
        return text.error();
    }
    auto read = runtime::parse_notification_settings(text ? *text : std::string());
    if (read && read->has_mail() && !net::is_mail_address(read->smtp_from)) {
        read = problem{code::config_invalid, "/smtp/from: has to be an e-mail address"};
    }
    if (!read) {
        return problem{code::config_invalid, fmt::format("{}: {}", file.native(), read.error().detail)};
    }
    std::unique_ptr<notification_desk> out(new notification_desk(settings, s, std::move(secrets)));
    out->settings_ = std::move(*read);
    if (!out->settings_.templates.empty()) {
        auto templates = mail_templates::read(out->settings_.templates);
        if (!templates) {
            return templates.error();
        }
        out->templates_ = std::move(*templates);
    }
    return out;
}

expected<void> notification_desk::prepare() const {
    const auto present = secrets_.reveal(key_name);
    if (present || present.error().code != code::not_found) {
        return present ? expected<void>() : expected<void>(present.error());
    }
    auto kept = secrets_.keep(key_name, to_base64url(random_bytes(cipher_key_bytes)));
    // Of two nodes that begin a cluster one was first.
    return kept || kept.error().code == code::conflict ? expected<void>() : kept;
}

expected<void> notification_desk::check(const notification_preferences& p, std::string_view owner) const {
    auto errors = p.quiet ? check_quiet(*p.quiet) : std::vector<field_error>();
    const bool by_mail = wants(p, notification_channel::email);
    if (by_mail && !settings_.has_mail()) {
        errors.push_back({"/channels", "no e-mail is sent from this node: its operator named no server (`smtp` in "
                                       "notifications.json of its data)"});
    } else if (by_mail && !p.email && !owner.starts_with("user/")) {
        errors.push_back({"/email", "is needed: only people have an address of their own"});
    }
    if (p.email && !net::is_mail_address(*p.email)) {
        errors.push_back({"/email", "is no e-mail address"});
    }
    const bool by_webhook = wants(p, notification_channel::webhook);
    if (by_webhook && settings_.webhook_allow.is_off()) {
        errors.push_back({"/channels", "no webhooks are sent from this node: its operator allows none (`webhook_allow` "
                                       "in notifications.json of its data)"});
    } else if (by_webhook && !p.webhook_url) {
        errors.push_back({"/webhook_url", "is needed"});
    }
    if (p.webhook_url && !p.webhook_url->starts_with("https://") && !p.webhook_url->starts_with("http://")) {
        errors.push_back({"/webhook_url", "has to begin with https:// or http://"});
    }
    return errors.empty() ? expected<void>()
                          : problem{code::invalid_request, "These preferences cannot be kept.", std::move(errors)};
}

notification_preferences notification_desk::completed(notification_preferences p) const {
    if (wants(p, notification_channel::email) && !p.batch_ms) {
        p.batch_ms = settings_.batch_ms;
    }
    return p;
}

expected<std::string> notification_desk::webhook_secret(const entity_address& inbox,
                                                        const notification_preferences& p) const {
    const auto key = secrets_.reveal(key_name);
    if (!key) {
        return key.error();
    }
    const auto mac = hmac_sha256(*key, fmt::format("{}/{}/{}", to_string(inbox.organization), to_string(inbox.id),
                                                   p.webhook_secret_number.value_or(0)));
    return "whsec_" + to_base64url({reinterpret_cast<const char*>(mac.data()), mac.size()});
}

expected<std::string> notification_desk::address_of(const entity_address& inbox,
                                                    const notification_preferences& p) const {
    if (p.email) {
        return *p.email;
    }
    const auto person = read_stored<user_document>(store_, {system_organization, "user", inbox.id});
    if (!person) {
        return person.error();
    }
    return *person && (*person)->status == user_status::active ? expected<std::string>((*person)->email)
                                                               : never("Nobody knows an address of its owner.");
}

expected<void> notification_desk::mail(const entity_address& inbox, const inbox_state& state, const parcel& p,
                                       const std::stop_token& stop) const {
    if (!settings_.has_mail()) {
        return never("No e-mail is sent from this node any more.");
    }
    auto to = address_of(inbox, state.preferences);
    if (!to) {
        return to.error();
    }
    auto password = read_value(settings_.smtp_password, secrets_.configured);
    if (!password) {
        return problem{code::unavailable, "The password of the mail server: " + password.error().detail};
    }
    const auto told = told_by(state, p);
    if (told.empty()) {
        return never("There is nothing left to tell.");
    }
    auto text = templates_.write(told, [&](const notification_document& n) {
        return n.task_id && !public_url_.empty() ? public_url_ + "/api/v1/tasks/" + to_string(*n.task_id)
                                                 : std::string();
    });
    const auto host = settings_.smtp_from.substr(settings_.smtp_from.rfind('@') + 1);
    auto message = net::write_mime({settings_.smtp_from, *to, std::move(text.subject), to_string(p.id) + "@" + host,
                                    told.back().created_at, std::move(text.body)});
    if (!message) {
        return message.error();
    }
    const net::smtp_server server{settings_.smtp_host, settings_.smtp_port, settings_.smtp_tls, settings_.smtp_ca_file};
    net::smtp_login login;
    login.client_name = host;
    login.user = settings_.smtp_user;
    login.password = std::move(*password);
    return net::send_mail(server, std::move(login), {settings_.smtp_from, std::move(*to), std::move(*message)}, stop);
}

expected<void> notification_desk::post(const entity_address& inbox, const inbox_state& state, const parcel& p,
                                       const std::stop_token& stop) const {
    const auto told = told_by(state, p);
    if (told.empty() || !state.preferences.webhook_url) {
        return never(told.empty() ? "There is nothing left to tell." : "Its owner gave no address for webhooks.");
    }
    const auto secret = webhook_secret(inbox, state.preferences);
    if (!secret) {
        return problem{code::unavailable, secret.error().detail};
    }
    net::client_request r;
    r.method = "POST";
    r.url = *state.preferences.webhook_url;
    r.time_out_ms = post_time_out_ms;
    r.reply_bytes_max = 64 << 10;
    r.body = to_json(posted_notification{p.id, inbox.organization, told.front()});
    r.headers = {{"Content-Type", "application/json"},
                 {"Troupe-Delivery", to_string(p.id)},
                 {"Troupe-Signature", webhook_signature(*secret, system_now().ms / 1000, r.body)}};
    r.may_reach = [this](const std::string& name, const std::optional<ip_bytes>& address) {
        return address ? settings_.webhook_allow.may_connect(name, *address)
                       : settings_.webhook_allow.may_look_up(name);
    };
    const auto answer = net::fetch(r, stop);
    if (!answer || answer->status / 100 == 2) {
        return answer ? expected<void>() : expected<void>(answer.error());
    }
    return answer->status == gone ? never("It answered 410: nobody wants this there any more.")
                                  : problem{code::unavailable, fmt::format("It answered {}.", answer->status)};
}

/// Who left the organization since is told nothing more of it.
expected<void> notification_desk::check_owner(const entity_address& inbox) const {
    const auto person = read_stored<user_document>(store_, {system_organization, "user", inbox.id});
    const auto key = read_stored<api_key_document>(store_, {system_organization, "api_key", inbox.id});
    if (!person || !key) {
        return person ? key.error() : person.error();
    }
    bool belongs = inbox.id == inbox_of("key/admin");
    if (*person) {
        const auto is_member = [&](const user_membership& m) {
            return m.active && m.organization_id == inbox.organization;
        };
        belongs = (*person)->status == user_status::active &&
                  ((*person)->node_admin || std::ranges::any_of((*person)->organizations, is_member));
    } else if (*key) {
        belongs = !(*key)->revoked_at && (!(*key)->expires_at || system_now() < *(*key)->expires_at);
    }
    return belongs ? expected<void>() : never("Its owner does not belong to the organization any more.");
}

note_parcel notification_desk::deliver(const entity_address& inbox, const inbox_state& state, const parcel& p,
                                       const std::stop_token& stop) const {
    auto done = check_owner(inbox);
    if (done) {
        done = p.channel == notification_channel::email ? mail(inbox, state, p, stop) : post(inbox, state, p, stop);
    }
    if (done) {
        return {p.id, p.attempts, true, false, "", 0};
    }
    const auto& why = done.error();
    log_for("notification")
        .warn("{}: {} {} was not delivered, attempt {}: {}", to_string(inbox), detail::enum_name(p.channel),
              to_string(p.id), p.attempts, why.detail);
    return {p.id,
            p.attempts,
            false,
            is_for_good(why.code),
            why.detail.substr(0, error_bytes_max),
            wait_before(settings_.retry_ms, p.attempts)};
}

runtime::performer_of<inbox_model> make_inbox_performer(const notification_desk& desk) {
    return [&desk](const runtime::perform_effect& effect, const inbox_state& state,
                   runtime::effect_context& context) -> std::vector<runtime::self_command> {
        const auto wanted = from_json<parcel_resumed>(effect.payload, strictness::stored);
        const auto* p = wanted ? find_parcel(state, wanted->id) : nullptr;
        if (p == nullptr) {
            return {};
        }
        const auto ended = desk.deliver(context.self(), state, *p, context.stop());
        if (!ended.ok && context.stop().stop_requested()) { // no attempt: it begins again elsewhere, or later
            return {};
        }
        return {{std::string(wire_name<note_parcel>::value), to_json(ended)}};
    };
}

} // namespace troupe::actors

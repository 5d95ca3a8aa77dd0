#include "actors/audit/audit_stream.hpp"

#include "actors/common/webhook.hpp"
#include "net/client/http_client.hpp"
#include "net/client/syslog.hpp"

#include <utility>

namespace troupe::actors {

namespace {

constexpr std::int64_t send_time_out_ms = 10'000;

class webhook final : public audit_sink {
public:
    webhook(std::string url, std::function<expected<std::string>()> secret)
        : url_(std::move(url)), secret_(std::move(secret)) {}

    expected<void> take(const std::vector<passed_line>& lines, const std::stop_token& stop) override {
        net::client_request r;
        r.method = "POST";
        r.url = url_;
        r.time_out_ms = send_time_out_ms;
        r.reply_bytes_max = 64 << 10;
        r.body = "{\"lines\":[";
        for (const auto& line : lines) {
            r.body += r.body.ends_with('[') ? "" : ",";
            r.body += passed_json(line);
        }
        r.body += "]}";
        r.headers = {{"Content-Type", "application/json"}, {"User-Agent", "troupe/" TROUPE_VERSION}};
        if (secret_) {
            const auto secret = secret_();
            if (!secret) {
                return secret.error();
            }
            r.headers.emplace_back("Troupe-Signature", webhook_signature(*secret, system_now().ms / 1000, r.body));
        }
        const auto answer = net::fetch(r, stop);
        if (!answer) {
            return answer.error();
        }
        return answer->status / 100 == 2
                   ? expected<void>()
                   : problem{code::connection_failed, "it answered " + std::to_string(answer->status)};
    }

private:
    std::string url_;
    std::function<expected<std::string>()> secret_;
};

class syslog final : public audit_sink {
public:
    explicit syslog(std::unique_ptr<net::syslog_client> client) : client_(std::move(client)) {}

    expected<void> take(const std::vector<passed_line>& lines, const std::stop_token&) override {
        std::vector<std::string> messages;
        for (const auto& line : lines) {
            messages.push_back(to_syslog(line, host_));
        }
        return client_->send(messages);
    }

private:
    std::unique_ptr<net::syslog_client> client_;
    const std::string host_ = net::syslog_host();
};

} // namespace

std::unique_ptr<audit_sink> make_webhook_sink(std::string url, std::function<expected<std::string>()> secret) {
    return std::make_unique<webhook>(std::move(url), std::move(secret));
}

expected<std::unique_ptr<audit_sink>> make_syslog_sink(const std::string& place) {
    auto client = net::make_syslog_client(place);
    return client ? expected<std::unique_ptr<audit_sink>>(std::make_unique<syslog>(std::move(*client)))
                  : expected<std::unique_ptr<audit_sink>>(client.error());
}

std::string passed_json(const passed_line& line) {
    auto out = to_json(line.entry);
    out.insert(1, "\"organization_id\":" + json::quoted(to_string(line.organization_id)) +
                      ",\"shard\":" + std::to_string(line.shard) + ",");
    return out;
}

std::string to_syslog(const passed_line& line, std::string_view host) {
    constexpr int log_audit = 13; // the facility
    constexpr int notice = 5;
    constexpr int warning = 4;
    const int severity = line.entry.result == audit_result::success ? notice : warning;
    return "<" + std::to_string(log_audit * 8 + severity) + ">1 " + to_string(line.entry.at) + " " + std::string(host) +
           " troupe - " + net::syslog_field(line.entry.action, 32) + " - " + passed_json(line);
}

} // namespace troupe::actors

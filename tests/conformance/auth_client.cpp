// The client of the conformance suite's scenarios auth/*: the steps of net/mcp/oauth_client around plain requests.
// auth_client URL; the scenario is in MCP_CONFORMANCE_SCENARIO, see tests/conformance/AUTH.md.
#include "net/client/http_client.hpp"
#include "net/mcp/oauth_client.hpp"
#include "schemas/base/json.hpp"

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace {

using namespace troupe;
using namespace troupe::net;
using namespace troupe::net::mcp;

constexpr int attempts_max = 3;

std::string variable(const char* name) {
    const auto* value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

class client {
public:
    explicit client(std::string url) : fetch_(guarded_fetch(url, {})) {
        settings_.server_url = std::move(url);
        settings_.redirect_uri = "http://127.0.0.1:3000/callback";
        settings_.client_document_url = "https://conformance-test.local/client-metadata.json";
        const auto context = json::document::parse(variable("MCP_CONFORMANCE_CONTEXT"));
        if (context) {
            settings_.client_id = context->root().text_or("client_id");
            settings_.client_secret = context->root().text_or("client_secret");
        }
        by_credentials_ = variable("MCP_CONFORMANCE_SCENARIO").find("client-credentials") != std::string::npos;
        modern_ = variable("MCP_CONFORMANCE_PROTOCOL_VERSION") >= "2026-07-28";
    }

    expected<void> run() {
        if (!modern_) {
            auto begun = call(
                "initialize",
                R"({"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"troupe","version":"0"}})");
            if (!begun) {
                return begun;
            }
            begun = call("notifications/initialized", "{}");
            if (!begun) {
                return begun;
            }
        }
        const auto listed = call("tools/list", "{}");
        return listed ? call("tools/call", R"({"name":"test-tool","arguments":{}})") : listed;
    }

private:
    expected<void> call(std::string_view method, const std::string& params) {
        for (int attempt = 0; attempt <= attempts_max; ++attempt) {
            const auto reply = send(method, params);
            if (!reply) {
                return reply.error();
            }
            if (reply->status / 100 == 2) {
                return {};
            }
            const auto header = reply->headers.find("www-authenticate");
            const auto challenge = read_challenge(header == reply->headers.end() ? std::string() : header->second);
            if (reply->status != 401 && !(reply->status == 403 && challenge.wants_more())) {
                return problem{code::unavailable, "status " + std::to_string(reply->status) + ": " + reply->body};
            }
            const auto done = authorize(challenge);
            if (!done) {
                return done;
            }
        }
        return problem{code::forbidden, "authorized too often"};
    }

    expected<client_response> send(std::string_view method, const std::string& params) {
        client_request request;
        request.method = "POST";
        request.url = settings_.server_url;
        request.headers = {{"Content-Type", "application/json"},
                           {"Accept", "application/json, text/event-stream"},
                           {"MCP-Protocol-Version", modern_ ? "2026-07-28" : "2025-11-25"}};
        if (grant_) {
            request.headers.emplace_back("Authorization", "Bearer " + grant_->access_token);
        }
        auto body = params;
        if (modern_) {
            request.headers.emplace_back("Mcp-Method", method);
            if (method == "tools/call") {
                request.headers.emplace_back("Mcp-Name", "test-tool");
            }
            body.pop_back();
            body += std::string(body.size() > 1 ? "," : "") +
                    R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",)"
                    R"("io.modelcontextprotocol/clientInfo":{"name":"troupe","version":"0"},)"
                    R"("io.modelcontextprotocol/clientCapabilities":{}}})";
        }
        const bool notifies = method.rfind("notifications/", 0) == 0;
        request.body = R"({"jsonrpc":"2.0",)" +
                       (notifies ? std::string() : R"("id":)" + std::to_string(++last_id_) + ",") + R"("method":)" +
                       json::quoted(method) + R"(,"params":)" + body + "}";
        return net::fetch(request);
    }

    expected<void> authorize(const auth_challenge& challenge) {
        auto grant = by_credentials_ ? grant_by_credentials(settings_, challenge, fetch_) : ask_person(challenge);
        if (!grant) {
            return grant.error();
        }
        grant_ = std::move(*grant);
        return {};
    }

    /// The person is the redirect itself.
    expected<oauth_grant> ask_person(const auth_challenge& challenge) {
        const auto begun = begin_authorization(settings_, challenge, grant_ ? &*grant_ : nullptr, fetch_);
        if (!begun) {
            return begun.error();
        }
        client_request page;
        page.url = authorization_url(*begun);
        const auto reply = net::fetch(page);
        if (!reply) {
            return reply.error();
        }
        const auto to = reply->headers.find("location");
        if (to == reply->headers.end()) {
            return problem{code::unavailable, "no redirect"};
        }
        const auto query = to->second.find('?');
        return finish_authorization(*begun, query == std::string::npos ? "" : to->second.substr(query + 1), fetch_);
    }

    oauth_settings settings_;
    oauth_fetch fetch_;
    std::optional<oauth_grant> grant_;
    bool by_credentials_ = false;
    bool modern_ = false;
    int last_id_ = 0;
};

} // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        std::fputs("auth_client URL\n", stderr);
        return 2;
    }
    const auto done = client(argv[argc - 1]).run();
    if (!done) {
        std::fprintf(stderr, "%s\n", done.error().detail.c_str());
    }
    return done ? 0 : 1;
}

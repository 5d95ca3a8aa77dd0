#include "actors/mcp/mcp_tokens.hpp"

#include "actors/common/secret_value.hpp"
#include "net/http/text.hpp"
#include "schemas/base/cipher.hpp"
#include "schemas/base/log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace troupe::actors {

namespace mcp = net::mcp;

mcp_tokens::mcp_tokens(std::string server, mcp::oauth_settings settings, mcp_token_parts parts, bool by_credentials)
    : server_(std::move(server)),
      settings_(std::move(settings)),
      parts_(std::move(parts)),
      fetch_(parts_.fetch ? parts_.fetch : mcp::guarded_fetch(settings_.server_url, {})),
      by_credentials_(by_credentials) {}

expected<std::optional<std::string>> mcp_tokens::authorization() {
    const std::scoped_lock work(work_);
    if (auto loaded = load(); !loaded) {
        return loaded.error();
    }
    auto now = grant();
    if (!now || now->access_token.empty()) {
        return std::optional<std::string>();
    }
    if (!now->is_fresh(parts_.now()) && (by_credentials_ || !now->refresh_token.empty())) {
        auto renewed = renew(nullptr);
        now = grant();
        const bool over = now && now->expires_at <= parts_.now();
        if (!renewed && (over || !now)) { // else the old one is good for another moment
            return renewed.error();
        }
    }
    return std::optional("Bearer " + now->access_token);
}

expected<void> mcp_tokens::challenged(int status, std::string_view www_authenticate,
                                      const std::optional<std::string>& sent) {
    const auto challenge = mcp::read_challenge(www_authenticate);
    if (status != 401 && !(status == 403 && challenge.wants_more())) {
        return problem{code::forbidden, fmt::format("The MCP server {} refuses with {}.", server_, status)};
    }
    const std::scoped_lock work(work_);
    if (auto loaded = load(); !loaded) {
        return loaded.error();
    }
    const auto now = grant();
    if (now && !now->access_token.empty() && sent != "Bearer " + now->access_token) {
        return {}; // another thread has renewed it meanwhile
    }
    const bool can_renew = by_credentials_ || (now && !now->refresh_token.empty());
    if (status == 401 && can_renew && parts_.now() - renewed_at_ > renew_again_ms) {
        renewed_at_ = parts_.now();
        const auto renewed = renew(&challenge);
        if (renewed || renewed.error().code != code::invalid_credentials) {
            return renewed;
        }
    }
    if (by_credentials_) {
        return noted({code::forbidden, fmt::format("The MCP server {} does not take the tokens that its authorization "
                                                   "server gives this client.",
                                                   server_)});
    }
    if (status == 401) {
        drop_tokens();
    }
    if (const auto url = ask_person(challenge); !url) {
        return url.error();
    }
    return problem{
        code::unauthenticated,
        fmt::format("The MCP server {} needs an authorization: run `troupe mcp auth {}`.", server_, server_)};
}

expected<void> mcp_tokens::renew(const mcp::auth_challenge* challenge) {
    const auto known = grant();
    auto fresh = !by_credentials_ ? mcp::refresh_grant(*known, fetch_, parts_.now())
                 : challenge      ? mcp::grant_by_credentials(settings_, *challenge, fetch_, parts_.now())
                                  : mcp::grant_again(*known, fetch_, parts_.now());
    if (!fresh) {
        return noted(fresh.error());
    }
    return keep(*fresh);
}

expected<std::string> mcp_tokens::begin() {
    const std::scoped_lock work(work_);
    if (auto loaded = load(); !loaded) {
        return loaded.error();
    }
    if (by_credentials_) {
        return problem{code::conflict, fmt::format("The MCP server {} is entered with the client's own secret: nobody "
                                                   "has to authorize.",
                                                   server_)};
    }
    return ask_person(challenge_);
}

expected<std::string> mcp_tokens::ask_person(const mcp::auth_challenge& challenge) {
    const auto now = grant();
    {
        const std::scoped_lock lock(mutex_);
        const auto covers = [&](const std::string& scope) {
            const auto& asked = waiting_->request.scopes;
            return std::find(asked.begin(), asked.end(), scope) != asked.end();
        };
        if (waiting_ && parts_.now() < waiting_->until &&
            std::all_of(challenge.scopes.begin(), challenge.scopes.end(), covers)) {
            return mcp::authorization_url(waiting_->request);
        }
    }
    auto settings = settings_;
    if (parts_.redirect_uri) {
        settings.redirect_uri = parts_.redirect_uri();
    }
    auto secret = read_value(settings_.client_secret, parts_.find_secret);
    if (!secret) {
        return noted({secret.error().code, "its client_secret: " + secret.error().detail});
    }
    settings.client_secret = std::move(*secret);
    if (settings.redirect_uri.empty()) {
        return problem{code::unavailable, "The node does not listen yet: ask again in a moment."};
    }
    auto begun = mcp::begin_authorization(settings, challenge, now ? &*now : nullptr, fetch_);
    if (!begun) {
        return noted(begun.error());
    }
    auto url = mcp::authorization_url(*begun);
    challenge_ = challenge;
    log_for("mcp").info("{}: an authorization is needed: troupe mcp auth {}", server_, server_);
    const std::scoped_lock lock(mutex_);
    waiting_ = waiting{std::move(*begun), parts_.now() + wait_ms};
    error_.reset();
    return url;
}

bool mcp_tokens::waits_for(std::string_view state) const {
    const std::scoped_lock lock(mutex_);
    return waiting_ && !state.empty() && waiting_->request.state == state && parts_.now() < waiting_->until;
}

expected<void> mcp_tokens::finish(std::string_view query) {
    {
        const std::scoped_lock work(work_);
        const auto form = net::read_form(query);
        const auto state = form ? form->find("state") : decltype(form->end()){};
        if (!form || state == form->end() || !waits_for(state->second)) { // what waits goes on waiting
            return problem{code::invalid_credentials, "No authorization waits for this redirect, or it took too long."};
        }
        std::optional<waiting> mine;
        {
            const std::scoped_lock lock(mutex_);
            mine = std::exchange(waiting_, std::nullopt);
        }
        auto fresh = mcp::finish_authorization(mine->request, query, fetch_, parts_.now());
        if (!fresh) {
            return noted(fresh.error());
        }
        if (auto kept = keep(*fresh); !kept) {
            return kept;
        }
        renewed_at_ = {};
        challenge_ = {};
    }
    if (on_authorized) {
        on_authorized();
    }
    return {};
}

expected<void> mcp_tokens::forget() {
    const std::scoped_lock work(work_);
    {
        const std::scoped_lock lock(mutex_);
        waiting_.reset();
        error_.reset();
    }
    challenge_ = {};
    loaded_ = true;
    return keep(std::nullopt);
}

mcp_auth_document mcp_tokens::document() const {
    const std::scoped_lock lock(mutex_);
    mcp_auth_document out;
    out.server = server_;
    out.error = error_;
    const mcp::issuer_metadata* issuer = nullptr;
    if (grant_ && !grant_->access_token.empty()) {
        out.status = mcp_auth_status::authorized;
        issuer = &grant_->issuer;
        out.scopes = grant_->scopes;
        if (grant_->expires_at.ms != 0) {
            out.expires_at = grant_->expires_at;
        }
    } else if (grant_ || error_) {
        out.status = mcp_auth_status::needed;
    }
    if (waiting_ && parts_.now() < waiting_->until) {
        out.status = mcp_auth_status::needed;
        issuer = &waiting_->request.issuer;
        out.scopes = waiting_->request.scopes;
        out.url = mcp::authorization_url(waiting_->request);
        out.url_until = waiting_->until;
    }
    if (issuer != nullptr) {
        out.issuer = issuer->issuer;
    }
    return out;
}

/// What was kept for another address is of no use: whoever gets the server's name does not get its tokens.
expected<void> mcp_tokens::load() {
    if (loaded_) {
        return {};
    }
    auto kept = parts_.find_secret(secret_name());
    if (!kept && kept.error().code != code::not_found) {
        return kept.error();
    }
    if (kept) {
        auto read = from_json<mcp::oauth_grant>(*kept, strictness::stored);
        wipe(*kept);
        if (read && read->server_url == settings_.server_url) {
            const std::scoped_lock lock(mutex_);
            grant_ = std::move(*read);
        }
    }
    loaded_ = true;
    return {};
}

expected<void> mcp_tokens::keep(const std::optional<mcp::oauth_grant>& grant) {
    auto text = grant ? to_json(*grant) : std::string("{}");
    auto kept = parts_.keep_secret(secret_name(), text);
    wipe(text);
    if (!kept) {
        return noted(kept.error());
    }
    const std::scoped_lock lock(mutex_);
    grant_ = grant;
    if (grant) {
        error_.reset();
    }
    return {};
}

/// They are of no more use. The client stays known at its issuer.
void mcp_tokens::drop_tokens() {
    const std::scoped_lock lock(mutex_);
    if (grant_) {
        wipe(grant_->access_token);
        wipe(grant_->refresh_token);
        grant_->access_token.clear();
        grant_->refresh_token.clear();
    }
}

problem mcp_tokens::noted(problem p) {
    log_for("mcp").warn("{}: {}", server_, p.detail);
    const std::scoped_lock lock(mutex_);
    error_ = p.detail;
    return p;
}

std::optional<mcp::oauth_grant> mcp_tokens::grant() const {
    const std::scoped_lock lock(mutex_);
    return grant_;
}

mcp_token_table tokens_for(const std::vector<runtime::mcp_server>& servers, const mcp_token_parts& parts) {
    mcp_token_table out;
    for (const auto& server : servers) {
        const bool says_itself = std::any_of(server.headers.begin(), server.headers.end(), [](const auto& header) {
            return net::lower_case(header.first) == "authorization";
        });
        if (server.url.empty() || says_itself) {
            continue;
        }
        mcp::oauth_settings settings;
        settings.server_url = server.url;
        settings.client_id = server.client_id;
        settings.client_secret = server.client_secret;
        settings.scopes = server.scopes;
        out.emplace(server.name, std::make_shared<mcp_tokens>(server.name, std::move(settings), parts));
    }
    return out;
}

} // namespace troupe::actors

#include "bin/cli/logins.hpp"

#include "bin/cli/api.hpp"
#include "schemas/base/durable_file.hpp"
#include "schemas/base/ids.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace troupe::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t file_bytes_max = 4 << 20;
/// A token is renewed that long before it expires, or a tenth of its life: what was just sent arrives in time.
constexpr std::int64_t margin_ms_max = 30'000;

template <class Logins>
auto find_login(Logins& all, std::string_view url) {
    return std::ranges::find(all.logins, url, &stored_login::url);
}

} // namespace

std::optional<login_file> login_file::of(const node_search& search) {
    const auto folder = [&](const char* name) -> std::optional<fs::path> {
        const auto value = search.environment(name);
        return value && fs::path(*value).is_absolute() ? std::optional(fs::path(*value)) : std::nullopt;
    };
    auto config = folder("XDG_CONFIG_HOME");
    if (!config) {
        const auto home = folder("HOME");
        config = home ? std::optional(*home / ".config") : std::nullopt;
    }
    return config ? std::optional(login_file(*config / "troupe" / "logins.json")) : std::nullopt;
}

expected<stored_logins> login_file::read() const {
    const auto text = read_whole_file(path_, file_bytes_max);
    if (!text) {
        return text.error().code == code::not_found ? expected<stored_logins>(stored_logins{}) : text.error();
    }
    auto logins = from_json<stored_logins>(*text, strictness::stored);
    return logins ? std::move(logins)
                  : expected<stored_logins>(problem{
                        code::config_invalid,
                        fmt::format("{} is damaged: remove it and log in again with `troupe login`.", path_.string())});
}

expected<void> login_file::write(const stored_logins& logins) const {
    return replace_file(path_, to_json(logins) + "\n", 0600);
}

expected<std::optional<stored_login>> login_file::find(std::string_view url) const {
    const auto all = read();
    if (!all) {
        return all.error();
    }
    const auto found = find_login(*all, url);
    return found == all->logins.end() ? std::optional<stored_login>() : std::optional(*found);
}

expected<unique_fd> login_file::lock() const {
    const auto folder = path_.parent_path();
    std::error_code failed;
    fs::create_directories(folder.parent_path(), failed);
    if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
        return file_problem("make", folder.native(), errno);
    }
    fs::permissions(folder, fs::perms::owner_all, failed);
    if (failed) {
        return file_problem("protect", folder.native(), failed.value());
    }
    const auto name = folder / "logins.lock";
    unique_fd fd(::open(name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) {
        return file_problem("open", name.native(), errno);
    }
    while (::flock(fd.get(), LOCK_EX) != 0) {
        if (errno != EINTR) {
            return file_problem("lock", name.native(), errno);
        }
    }
    return fd;
}

expected<void> login_file::put(const stored_login& login) const {
    auto all = read();
    if (!all) {
        return all.error();
    }
    const auto found = find_login(*all, login.url);
    if (found == all->logins.end()) {
        all->logins.push_back(login);
    } else {
        *found = login;
    }
    return write(*all);
}

expected<bool> login_file::remove(std::string_view url) const {
    auto all = read();
    if (!all) {
        return all.error();
    }
    if (std::erase_if(all->logins, [&](const stored_login& l) { return l.url == url; }) == 0) {
        return false;
    }
    const auto written = write(*all);
    return written ? expected<bool>(true) : written.error();
}

void take_tokens(stored_login& login, const login_document& answer) {
    const auto life_ms = answer.expires_in * 1000;
    login.email = answer.user.email;
    login.access_token = answer.access_token.value_or("");
    login.refresh_token = answer.refresh_token.value_or("");
    login.renew_at = system_now() + (life_ms - std::min(margin_ms_max, life_ms / 10));
    login.renewal_request.clear();
}

problem login_is_over(std::string_view url, std::string_view why) {
    return {code::unauthenticated, fmt::format("Your login at {} is over{}{}: log in again with `troupe login`.", url,
                                               why.empty() ? "" : ", ", why)};
}

expected<connection> renew_login(const login_file& file, const connection& used) {
    const auto locked = file.lock();
    if (!locked) {
        return locked.error();
    }
    const auto found = file.find(used.url);
    if (!found) {
        return found.error();
    }
    if (!*found || (*found)->access_token.empty()) {
        return login_is_over(used.url, "");
    }
    auto login = **found;
    auto renewed = used;
    if (login.access_token == used.key || system_now() >= login.renew_at) {
        // The request is noted before it is sent: when its answer is lost, the same request gives it again, where
        // another one would be a second use of the refresh token, which ends the session.
        if (login.renewal_request.empty()) {
            login.renewal_request = to_string(make_uuid());
            if (auto noted = file.put(login); !noted) {
                return noted.error();
            }
        }
        api node(connection{used.url, {}, used.ca_file, used.certificate_file});
        const auto body =
            node.post("/auth/refresh", to_json(refresh_body{login.refresh_token, std::nullopt}), login.renewal_request);
        if (!body && (body.error().code == code::unauthenticated || body.error().code == code::token_reused)) {
            login.access_token.clear();
            login.refresh_token.clear();
            login.renewal_request.clear();
            const auto noted = file.put(login);
            auto over = login_is_over(used.url, "");
            over.code = body.error().code;
            over.errors.push_back({"the node says", body.error().detail});
            return noted ? over : noted.error();
        }
        const auto answer =
            body ? from_json<login_document>(*body, strictness::stored) : expected<login_document>(body.error());
        if (!answer) {
            return answer.error();
        }
        take_tokens(login, *answer);
        if (auto saved = file.put(login); !saved) {
            return saved.error();
        }
    }
    renewed.key = login.access_token;
    renewed.renew_at = login.renew_at;
    return renewed;
}

} // namespace troupe::cli

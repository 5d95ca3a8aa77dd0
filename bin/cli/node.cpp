#include "bin/cli/node.hpp"

#include "bin/cli/logins.hpp"
#include "schemas/base/json.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <system_error>
#include <utility>

namespace troupe::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view start_one =
    "Start one with `troupe serve`, or name it with --url and --key (TROUPE_URL, TROUPE_KEY).";

struct data_folder {
    fs::path path;
    bool named = false; ///< By the user; otherwise found by walking upwards.
};

struct node_file {
    std::string url;
    std::int64_t pid = 0;
    std::string key_file;
    std::string certificate_file;
};

std::string trimmed(std::string text) {
    text.erase(text.find_last_not_of(" \t\r\n") + 1);
    text.erase(0, text.find_first_not_of(" \t\r\n"));
    return text;
}

std::string without_slash(std::string url) {
    while (url.ends_with('/')) {
        url.pop_back();
    }
    return url;
}

std::optional<std::string> read_small(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) {
        return std::nullopt;
    }
    std::string text;
    constexpr std::size_t bytes_max = 64 << 10;
    text.resize(bytes_max);
    in.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(in.gcount()));
    return text;
}

std::optional<data_folder> locate_data_folder(const node_search& search) {
    if (search.data) {
        return data_folder{search.working_folder / *search.data, true};
    }
    if (const auto named = search.environment("TROUPE_DATA"); named && !named->empty()) {
        return data_folder{search.working_folder / *named, true};
    }
    for (fs::path folder = search.working_folder;; folder = folder.parent_path()) {
        std::error_code ignored; // an unreadable folder is one without a node
        if (fs::exists(folder / ".troupe" / "node.json", ignored)) {
            return data_folder{folder / ".troupe", false};
        }
        if (!folder.has_parent_path() || folder == folder.parent_path()) {
            return std::nullopt;
        }
    }
}

expected<node_file> read_node_file(const data_folder& folder, const node_search& search) {
    const auto path = folder.path / "node.json";
    const auto text = read_small(path);
    if (!text) {
        return problem{code::connection_failed,
                       fmt::format("No node is running on {}: start it with `troupe serve --data {}`.",
                                   folder.path.string(), folder.path.string())};
    }
    const auto parsed = json::document::parse(*text);
    node_file node;
    if (parsed) {
        node = {without_slash(parsed->root().text_or("url")), parsed->root().int_or("pid"),
                parsed->root().text_or("key_file"), parsed->root().text_or("certificate_file")};
    }
    if (node.url.empty()) {
        return problem{code::connection_failed, fmt::format("{} does not say where the node is: start the node again "
                                                            "with `troupe serve --data {}`, or give --url.",
                                                            path.string(), folder.path.string())};
    }
    if (node.pid > 0 && !search.process_runs(static_cast<int>(node.pid))) {
        return problem{code::connection_failed, fmt::format("The node of {} has ended (process {} is gone): start it "
                                                            "again with `troupe serve --data {}`.",
                                                            folder.path.string(), node.pid, folder.path.string())};
    }
    if (!folder.named && !is_on_this_machine(node.url)) {
        return problem{code::connection_failed,
                       fmt::format("{} names a node on another machine ({}). If that is what you "
                                   "want, say so: --url {} or --data {}.",
                                   path.string(), node.url, node.url, folder.path.string())};
    }
    return node;
}

std::string read_key(const data_folder& folder, const node_file& node) {
    const fs::path named = node.key_file.empty() ? fs::path("admin.key") : fs::path(node.key_file);
    const fs::path path = folder.named ? folder.path / named : folder.path / named.filename();
    std::error_code ignored; // no key: the node refuses and says so
    if (!folder.named && fs::is_symlink(path, ignored)) {
        return {};
    }
    return trimmed(read_small(path).value_or(""));
}

} // namespace

node_search search_here() {
    std::error_code ignored; // a deleted working folder: nothing is found
    return {.url = {},
            .key = {},
            .org = {},
            .data = {},
            .ca = {},
            .environment = [](const char* name) -> std::optional<std::string> {
                const char* value = std::getenv(name);
                return value ? std::optional<std::string>(value) : std::nullopt;
            },
            .working_folder = fs::current_path(ignored),
            .process_runs = [](int pid) { return ::kill(pid, 0) == 0 || errno != ESRCH; }};
}

bool is_on_this_machine(std::string_view url) {
    for (const std::string_view start :
         {"http://127.", "https://127.", "http://localhost", "https://localhost", "http://[::1]", "https://[::1]"}) {
        const auto rest = url.starts_with(start) ? url.substr(start.size()) : std::string_view("x");
        if (start.ends_with('.') ? rest.find_first_not_of("0123456789.:") == std::string_view::npos
                                 : rest.empty() || rest.starts_with(':')) {
            return rest.find('@') == std::string_view::npos;
        }
    }
    return false;
}

std::optional<fs::path> find_data_folder(const node_search& search) {
    const auto found = locate_data_folder(search);
    return found ? std::optional(found->path) : std::nullopt;
}

namespace {

std::optional<std::string> from_environment(const node_search& search, const char* name) {
    auto value = search.environment(name);
    return value && !value->empty() ? value : std::nullopt;
}

/// Where the node is, and its folder when it is the one on this machine.
struct found_node {
    connection where;
    std::optional<std::pair<data_folder, node_file>> here;
};

expected<found_node> locate_node(const node_search& search) {
    const auto url = search.url ? search.url : search.data ? std::nullopt : from_environment(search, "TROUPE_URL");
    const auto folder = locate_data_folder(search);
    if (!url && !folder) {
        return problem{code::connection_failed, fmt::format("No node is running here. {}", start_one)};
    }
    auto node = folder ? read_node_file(*folder, search) : expected<node_file>(problem{});
    if (!url && !node) {
        return node.error();
    }
    found_node out;
    out.where.url = url ? without_slash(*url) : node->url;
    out.where.ca_file = search.ca ? *search.ca : from_environment(search, "TROUPE_CA").value_or("");
    if (node && node->url == out.where.url) { // key and certificate of the node on this machine are for it only
        out.where.certificate_file = out.where.ca_file.empty() ? node->certificate_file : "";
        out.here = {*folder, std::move(*node)};
    }
    return out;
}

} // namespace

expected<connection> find_address(const node_search& search) {
    auto found = locate_node(search);
    return found ? expected<connection>(std::move(found->where)) : found.error();
}

expected<connection> find_node(const node_search& search) {
    auto found = locate_node(search);
    if (!found) {
        return found.error();
    }
    auto out = std::move(found->where);
    out.organization = search.org ? *search.org : from_environment(search, "TROUPE_ORG").value_or("");
    if (const auto given = search.key ? search.key : from_environment(search, "TROUPE_KEY")) {
        out.key = *given;
        out.source = search.key ? key_source::flag : key_source::environment;
        return out;
    }
    const auto file = login_file::of(search);
    const auto login = file ? file->find(out.url) : expected<std::optional<stored_login>>(std::nullopt);
    if (!login) {
        return login.error();
    }
    if (*login) {
        out.key = (*login)->access_token;
        out.source = key_source::login;
        out.renew_at = (*login)->renew_at;
        out.organization = out.organization.empty() ? (*login)->organization : out.organization;
    } else if (found->here) {
        out.key = read_key(found->here->first, found->here->second);
        out.source = out.key.empty() ? key_source::none : key_source::admin_key;
    }
    return out;
}

} // namespace troupe::cli

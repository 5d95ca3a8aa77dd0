#pragma once

#include "schemas/base/clock.hpp"
#include "schemas/base/problem.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

/// Which node the program speaks to, and with which key.
namespace troupe::cli {

/// Where a key came from, by precedence.
enum class key_source : std::uint8_t { none, flag, environment, login, admin_key };

struct connection {
    std::string url;                   ///< "http://127.0.0.1:7117", no slash at the end.
    std::string key = {};              ///< Empty: none is known.
    std::string ca_file = {};          ///< --ca or TROUPE_CA; empty: the system's certificates.
    std::string certificate_file = {}; ///< Of the node on this machine: exactly that certificate is expected.
    std::string organization = {};     ///< Sent as X-Organization; empty: that of the key.
    key_source source = key_source::none;
    timestamp renew_at = {}; ///< Of a login: when its access token wants to be renewed.
};

/// What the search may use; tests give their own.
struct node_search {
    std::optional<std::string> url = {};  ///< --url
    std::optional<std::string> key = {};  ///< --key
    std::optional<std::string> org = {};  ///< --org
    std::optional<std::string> data = {}; ///< --data
    std::optional<std::string> ca = {};   ///< --ca
    std::function<std::optional<std::string>(const char*)> environment;
    std::filesystem::path working_folder;
    std::function<bool(int)> process_runs; ///< Whether a process with this id is there.
};
node_search search_here();

/// The data folder that --data or TROUPE_DATA names, or the one of a node found in the working folder or above it.
std::optional<std::filesystem::path> find_data_folder(const node_search& search);

/// Whether what is sent there stays on this machine.
bool is_on_this_machine(std::string_view url);

/// --url, else TROUPE_URL, else the node on this machine (DIR/node.json). Its key: --key, else TROUPE_KEY, else the
/// login at that URL (logins.hpp), else DIR/admin.key for the node of that folder. Its organization: --org, else
/// TROUPE_ORG, else the one that the login remembers.
/// `connection_failed` says how to start a node. A folder found by walking upwards may be anybody's (a cloned
/// repository): its node has to be on this machine, and no key outside the folder is read for it.
expected<connection> find_node(const node_search& search);

/// The same without a key, a login and an organization: for who logs in.
expected<connection> find_address(const node_search& search);

} // namespace troupe::cli

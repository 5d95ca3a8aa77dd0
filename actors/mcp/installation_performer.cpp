#include "actors/mcp/installation_performer.hpp"

#include "schemas/base/durable_file.hpp"
#include "schemas/base/json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <optional>
#include <utility>

namespace troupe::actors {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t time_ms_max = 10LL * 60 * 1000;
constexpr std::size_t file_bytes_max = 16 << 20;
constexpr std::size_t said_bytes_max = 1500; ///< Of what a tool said that failed.

/// What reaches registries from here: proxies, certificates, another registry.
std::map<std::string, std::string> environment() {
    std::map<std::string, std::string> out;
    for (const auto* name : {"HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
                             "NODE_EXTRA_CA_CERTS", "npm_config_registry", "NPM_CONFIG_REGISTRY"}) {
        if (const auto* value = std::getenv(name)) { // NOLINT(concurrency-mt-unsafe): nothing here sets any
            out.emplace(name, value);
        }
    }
    return out;
}

expected<json::document> read_json(const fs::path& file) {
    const auto text = read_whole_file(file, file_bytes_max);
    return text ? json::document::parse(*text) : text.error();
}

/// The checksum of the package as its registry gave it.
expected<std::string> integrity_of(const fs::path& folder, const std::string& package) {
    const auto lock = read_json(folder / "package-lock.json");
    if (!lock) {
        return lock.error();
    }
    const auto packages = lock->root().find("packages");
    const auto entry = packages ? packages->find("node_modules/" + package) : std::nullopt;
    const auto found = entry ? entry->text_or("integrity") : std::string();
    return found.empty() ? expected<std::string>(problem{code::invalid_request, "npm said no checksum of it"}) : found;
}

/// The program of a package, from its folder: the one of its own name, else the first.
expected<std::string> program_of(const fs::path& folder, const std::string& package) {
    const auto manifest = read_json(folder / "node_modules" / package / "package.json");
    if (!manifest) {
        return manifest.error();
    }
    const auto bin = manifest->root().find("bin");
    std::string found;
    if (bin && bin->as_string()) {
        found = *bin->as_string();
    } else if (bin && bin->type() == json::kind::object) {
        const auto own = package.substr(package.find('/') == package.npos ? 0 : package.find('/') + 1);
        bin->each_member([&](std::string_view name, json::value path) {
            if (found.empty() || name == own) {
                found = path.as_string().value_or("");
            }
        });
    }
    const auto whole = (fs::path("node_modules") / package / found).lexically_normal();
    const bool inside = !found.empty() && whole.string().starts_with("node_modules/" + package + "/");
    return inside ? expected<std::string>(whole.string())
                  : problem{code::invalid_request, "the package has no program"};
}

/// One attempt for an npm package.
note_install_failed failed(const installation_state& s, std::string why, bool broken_off = false) {
    return {s.attempt, std::move(why), broken_off};
}

runtime::command_spec npm_command(const fs::path& into, const mcp_package& p) {
    runtime::command_spec spec;
    spec.argv = {"npm",        "install",     "--ignore-scripts",
                 "--no-audit", "--no-fund",   "--loglevel=error",
                 "--prefix",   into.string(), p.identifier + "@" + p.version};
    spec.project = into;
    spec.environment = environment();
    spec.network = true;
    spec.ends_with_node = true;
    spec.limits.time_ms = time_ms_max;
    return spec;
}

expected<note_installed> bring_npm(runtime::sandbox& commands, const fs::path& folder, const installation_state& s,
                                   const std::string& key, const std::stop_token& stop) {
    const auto& p = s.wanted.package;
    const auto name = fmt::format("package-{}", s.attempt);
    const auto into = folder / s.wanted.id / name;
    std::error_code ignored;
    fs::remove_all(into, ignored);
    if (!fs::create_directories(into, ignored)) {
        return problem{code::storage_failed, fmt::format("{} cannot be made: {}", into.string(), ignored.message())};
    }
    const auto done = commands.run(key, npm_command(into, p), stop, {});
    if (!done) {
        return done.error();
    }
    if (done->cancelled) {
        return problem{code::unknown_outcome, "it was broken off"};
    }
    if (done->exit_code != 0) {
        const auto said = done->err.empty() ? done->out : done->err;
        return problem{code::invalid_request,
                       done->exit_code == 127
                           ? std::string("npm is not there. Install Node.js with npm on this machine.")
                           : fmt::format("npm could not bring {}@{}: {}", p.identifier, p.version,
                                         said.substr(0, said_bytes_max))};
    }
    auto integrity = integrity_of(into, p.identifier);
    auto program = integrity ? program_of(into, p.identifier) : expected<std::string>(integrity.error());
    if (!program) {
        return problem{code::invalid_request,
                       fmt::format("{}@{} cannot be used: {}", p.identifier, p.version, program.error().detail)};
    }
    return note_installed{s.attempt, {"node", name + "/" + *program}, std::move(*integrity)};
}

} // namespace

runtime::performer_of<installation_model> make_installation_performer(runtime::sandbox& commands, fs::path folder) {
    return [&commands,
            folder = std::move(folder)](const runtime::perform_effect&, const installation_state& s,
                                        runtime::effect_context& context) -> std::vector<runtime::self_command> {
        const auto tell = [](const auto& note) {
            using note_type = std::decay_t<decltype(note)>;
            return std::vector<runtime::self_command>{{std::string(wire_name<note_type>::value), to_json(note)}};
        };
        const auto key = fmt::format("{}/{}", to_string(context.self().id), s.attempt);
        const auto brought = bring_npm(commands, folder, s, key, context.stop());
        if (context.stop().stop_requested()) {
            return {}; // the node ends: it is begun anew
        }
        commands.forget(key);
        return brought ? tell(*brought)
                       : tell(failed(s, brought.error().detail, brought.error().code == code::unknown_outcome));
    };
}

} // namespace troupe::actors

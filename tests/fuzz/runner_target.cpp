// The runner's files and frames, and what its proxy is asked (255). The first byte chooses.
#include "bin/runner/confinement.hpp"
#include "runtime/process/network_grant.hpp"
#include "runtime/process/proxy_request.hpp"
#include "runtime/process/runner_files.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace troupe::fuzz {

namespace {

using namespace runtime;

template <class T>
expected<T> check_file(std::string_view text) {
    auto read = from_json<T>(text, strictness::stored);
    if (read) {
        const auto written = to_json(*read);
        const auto again = from_json<T>(written, strictness::stored);
        claim(again && to_json(*again) == written, "a file is read as it was written");
    }
    return read;
}

void check_spec(std::string_view text) {
    if (const auto spec = check_file<runner_spec>(text)) {
        const auto words = runner::confined_arguments(*spec, "/usr/bin/troupe-runner");
        claim(words.size() >= spec->argv.size(), "the command is part of what is started");
        claim(std::equal(spec->argv.rbegin(), spec->argv.rend(), words.rbegin()), "and stands at its end");
        (void)runner::command_environment(*spec);
    }
}

void check_frames(std::string_view bytes, std::uint32_t seed) {
    const auto take = [](std::string& buffer, std::string& seen) {
        const auto failure =
            take_frames(buffer, [&](bool err, std::string_view text) { seen.append(err ? "e" : "o").append(text); });
        seen += failure.value_or("");
    };
    std::string whole(bytes);
    std::string seen;
    const auto failure =
        take_frames(whole, [&](bool err, std::string_view text) { seen.append(err ? "e" : "o").append(text); });
    std::string part;
    std::string seen_in_pieces;
    in_pieces(bytes, seed, [&](std::string_view piece) {
        part += piece;
        take(part, seen_in_pieces);
    });
    claim(part == whole, "what is left does not depend on the pieces");
    claim(failure || seen == seen_in_pieces, "nor does what was seen");
}

/// What a program in the sandbox says to the proxy.
void check_request(std::string_view head) {
    if (const auto r = read_proxy_request(head)) {
        claim(!r->host.empty() && r->port != 0, "a request has a place");
        claim(r->tunnel == r->head.empty(), "a tunnel carries what comes, and nothing else does");
        claim(r->tunnel || r->head.find("\r\n\r\n") == r->head.size() - 4, "one head is passed on, and no more");
        (void)is_allowed({{.name = "a"}, {.name = "b", .below = true}}, r->host, r->port);
    }
    if (const auto grant = parse_network_grant(head)) {
        for (const auto& host : grant->hosts) {
            claim(parse_allowed_host(host).has_value(), "what the configuration takes, the runner takes");
        }
    }
}

} // namespace

void try_input(std::string_view input) {
    cutter in(input);
    const auto how = in.byte();
    if (how == 255) {
        check_request(in.rest());
    } else if (how % 3 == 0) {
        check_spec(in.rest());
    } else if (how % 3 == 1) {
        (void)check_file<command_result>(in.rest());
    } else {
        check_frames(in.rest(), how);
    }
}

} // namespace troupe::fuzz

#include "actors/kinds/security_auditor/advisories.hpp"
#include "actors/kinds/security_auditor/audit_report.hpp"

#include <boost/test/unit_test.hpp>

#include <sys/stat.h>

#include "tests/actors/kind_fixture.hpp"

using namespace troupe;
using namespace troupe::actors;
using namespace troupe::actors::test;

namespace {

// Made of parts, so that no scanner of others takes this file for a leak.
const std::string github = std::string("ghp") + "_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";
const std::string aws = std::string("AK") + "IA" + "Q3EGZ7XNB2LWT5RY";

/// "rule:line" of each.
std::string shown(const std::vector<audit_finding>& all) {
    std::string out;
    for (const auto& f : all) {
        out += fmt::format("{}{}:{}", out.empty() ? "" : " ", f.rule, f.line);
    }
    return out;
}
std::string secrets(std::string_view text) {
    std::vector<audit_finding> out;
    find_secrets("a.txt", text, out);
    return shown(out);
}
std::string calls(std::string_view path, std::string_view text) {
    std::vector<audit_finding> out;
    find_dangerous_calls(path, text, out);
    return shown(out);
}
std::string dependencies(std::string_view path, std::string_view text) {
    std::string out;
    for (const auto& d : read_lock_file(path, text)) {
        out += fmt::format("{}{} {} {}:{}", out.empty() ? "" : "; ", d.ecosystem, d.name, d.version, d.line);
    }
    return out;
}
std::string judged(std::vector<dependency> all, std::string_view osv) {
    dependency_table table;
    table.add(std::move(all));
    std::vector<audit_finding> out;
    std::uint64_t advisories = 0;
    if (!table.judge(osv, out, advisories)) {
        return "no entry";
    }
    return out.empty() ? "none" : out.front().message;
}

constexpr const char* advisory =
    R"({"id":"GHSA-1","summary":"It \u001b[31mleaks","affected":[{"package":{"ecosystem":"npm",
"name":"left"},"ranges":[{"type":"SEMVER","events":[{"introduced":"1.2.0"},{"fixed":"1.4.1"},{"introduced":"2.0.0"}]}]},
{"package":{"ecosystem":"PyPI","name":"Zope.Interface"},"versions":["5.0"]}]})";

/// A project with one finding of each kind.
struct audited : tool_place {
    audited() {
        fs::create_directories(project / "src");
        fs::create_directories(project / ".osv");
        write("src/a.py", "import os\nTOKEN = '" + github + "'\nos.system(line)\n");
        write("package-lock.json", R"({"packages":{"":{},"node_modules/left":{"version":"1.3.0"}}})");
        write(".osv/GHSA-1.json", advisory);
        fs::permissions(project / "src/a.py", fs::perms(0666));
    }
};

} // namespace

BOOST_AUTO_TEST_SUITE(kind_security_auditor)

BOOST_AUTO_TEST_CASE(keys_of_services_are_known_by_their_form) {
    BOOST_TEST(secrets("x\nkey: " + github + "\n") == "secret-known-format:2");
    BOOST_TEST(secrets("aws=" + aws) == "secret-known-format:1");
    BOOST_TEST(secrets(github.substr(0, 20)) == "");
    BOOST_TEST(secrets("x" + github) == "");                                    // in the middle of a word
    BOOST_TEST(secrets(std::string("gh") + "p_" + std::string(36, 'x')) == ""); // an example
    BOOST_TEST(secrets("-----BEGIN " + std::string("RSA PRIVATE KEY-----\nMIIE\n")) == "secret-private-key:1");
    BOOST_TEST(secrets("-----BEGIN PUBLIC KEY-----\nMIIE\n") == "");
    BOOST_TEST(secrets("db: postgres://root:s3cr3tpw@db.internal/x") == "secret-in-url:1");
    BOOST_TEST(secrets("db: postgres://root:${PASSWORD}@db/x http://host:80/a@b") == "");
}

BOOST_AUTO_TEST_CASE(assigned_values_count_when_name_and_value_speak_of_a_secret) {
    BOOST_TEST(secrets(R"(api_key = "8fK2mQ9xL4vB7nR3tY6w")") == "secret-assigned:1");
    BOOST_TEST(secrets(R"("clientSecret": "8fK2mQ9xL4vB7nR3tY6w",)") == "secret-assigned:1");
    BOOST_TEST(secrets("DB_PASSWORD='hunter2!gone'") == "secret-assigned:1");
    BOOST_TEST(secrets("SECRET_KEY=8fK2mQ9xL4vB7nR3tY6w") == "secret-assigned:1");
    BOOST_TEST(secrets("password = input(\"Your password: \")") == "");
    BOOST_TEST(secrets("token = os.environ[\"TOKEN_OF_GITHUB_1\"]") == "");
    BOOST_TEST(secrets("api_key = \"your-api-key-goes-here-1234\"") == "");
    BOOST_TEST(secrets("token_count_max = 1000000000000000000") == "");
    BOOST_TEST(secrets("if (token == \"8fK2mQ9xL4vB7nR3tY6w\")") == "");
    BOOST_TEST(secrets("color = \"8fK2mQ9xL4vB7nR3tY6w\"") == "");
}

BOOST_AUTO_TEST_CASE(a_finding_never_holds_the_secret_nor_depends_on_it) {
    const auto found = [](const std::string& value) {
        std::vector<audit_finding> out;
        find_secrets("a", "password = '" + value + "'\n", out);
        BOOST_REQUIRE(out.size() == 1u);
        return out.front();
    };
    const auto one = found("hunter2!gone");
    BOOST_TEST(!contains(to_json(one), "hunter2"));
    BOOST_TEST(one.fingerprint == found("other9!gonex").fingerprint); // so no guess can be tried on it
    std::vector<audit_finding> known;
    find_secrets("a", github, known);
    BOOST_TEST(!contains(to_json(known.front()), "a1B2"));
}

BOOST_AUTO_TEST_CASE(dangerous_calls_of_each_language) {
    BOOST_TEST(calls("a.py", "x = eval(y)\nmodel.eval()\n# eval(z)\nsubprocess.run(l, shell=True)\n") ==
               "call-runs-code:1 call-shell:4");
    BOOST_TEST(calls("a.py", "yaml.load(f)\nyaml.load(f, Loader=SafeLoader)\nretrieval(x)\n") == "call-deserializes:1");
    BOOST_TEST(calls("a.ts", "el.innerHTML = x\nrequire('child_process').exec(x)\n") ==
               "call-writes-markup:1 call-shell:2");
    BOOST_TEST(calls("a.cpp", "strcpy(a, b);\nmy_strcpy(a, b);\nfgets(a, 1, f);\n// gets(a)\n") == "call-no-bounds:1");
    BOOST_TEST(calls("a.go", "tls.Config{InsecureSkipVerify: true}") == "call-no-verification:1");
    BOOST_TEST(calls("a.rs", "unsafe { x() }") == "call-unsafe-memory:1");
    BOOST_TEST(calls("A.java", "new ObjectInputStream(in)") == "call-deserializes:1");
    BOOST_TEST(calls("a.sh", "curl https://x | sh") == "call-runs-code:1");
    BOOST_TEST(calls("a.txt", "eval(x)") == "");
    BOOST_TEST(calls("a.py", "eval(x)  # troupe-audit: allow\n") == "");
}

BOOST_AUTO_TEST_CASE(modes_that_let_others_in) {
    const auto judge = [](std::uint32_t mode) {
        std::vector<audit_finding> out;
        judge_mode("a", mode, out);
        return shown(out);
    };
    BOOST_TEST(judge(S_IFREG | 0644) == "");
    BOOST_TEST(judge(S_IFREG | 0666) == "mode-world-writable:0");
    BOOST_TEST(judge(S_IFREG | 04755) == "mode-setuid:0");
    BOOST_TEST(judge(S_IFDIR | 0777) == "mode-world-writable:0");
    BOOST_TEST(judge(S_IFDIR | 01777) == "");
    BOOST_TEST(judge(S_IFDIR | 02755) == "");
    BOOST_TEST(judge(S_IFLNK | 0777) == "");
}

BOOST_AUTO_TEST_CASE(lock_files_are_read) {
    BOOST_TEST(
        dependencies("package-lock.json", R"({"packages":{"":{"version":"1.0.0"},"node_modules/a":{"version":"1.2.3"},
        "node_modules/b/node_modules/@c/d":{"version":"2.0.0"}}})") == "npm a 1.2.3:0; npm @c/d 2.0.0:0");
    BOOST_TEST(dependencies("package-lock.json",
                            R"({"dependencies":{"a":{"version":"1.0.0","dependencies":{"b":{"version":"2.0.0"}}}}})") ==
               "npm a 1.0.0:0; npm b 2.0.0:0");
    BOOST_TEST(dependencies("requirements-dev.txt",
                            "# c\na==1.0\nb[x]==2.0 ; python_version > '3'\nc>=1\n-r other\nd===3\n") ==
               "PyPI a 1.0:2; PyPI b 2.0:3; PyPI d 3:6");
    BOOST_TEST(
        dependencies(
            "Cargo.lock",
            "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"b\"\nversion = \"0.1.0\"\n") ==
        "crates.io a 1.0.0:3; crates.io b 0.1.0:7");
    BOOST_TEST(dependencies("sub/go.mod", "module x\n\ngo 1.21\n\nrequire (\n\tgithub.com/a/b v1.2.3\n\tgithub.com/c/d "
                                          "v0.1.0 // indirect\n)\nrequire e.f/g v2.0.0\n") ==
               "Go github.com/a/b 1.2.3:6; Go github.com/c/d 0.1.0:7; Go e.f/g 2.0.0:9");
    BOOST_TEST(dependencies("package-lock.json", "no json") == "");
}

BOOST_AUTO_TEST_CASE(versions_are_compared_as_numbers) {
    const auto before = [](std::string_view a, std::string_view b) {
        return compare_versions(a, b) < 0 && compare_versions(b, a) > 0;
    };
    BOOST_TEST(before("1.9.0", "1.10.0"));
    BOOST_TEST(before("1.0.0-rc.1", "1.0.0"));
    BOOST_TEST(before("1.0.0-alpha.2", "1.0.0-alpha.10"));
    BOOST_TEST(before("1.0.0-1", "1.0.0-alpha"));
    BOOST_TEST(before("1.0rc1", "1.0"));
    BOOST_TEST(before("99999999999999999999.1", "100000000000000000000.0"));
    BOOST_TEST((compare_versions("v1.2", "1.2.0+build") == 0));
}

BOOST_AUTO_TEST_CASE(advisories_hold_for_the_versions_that_they_name) {
    const auto left = [](const char* version) {
        return judged({{"npm", "left", version, "package-lock.json", 0}}, advisory);
    };
    BOOST_TEST(left("1.1.9") == "none");
    BOOST_TEST(left("1.2.0") == "left 1.2.0 is affected by GHSA-1: It leaks");
    BOOST_TEST(left("1.4.0") != "none");
    BOOST_TEST(left("1.4.1") == "none");
    BOOST_TEST(left("2.5.0") != "none");
    BOOST_TEST(judged({{"PyPI", "zope-interface", "5.0", "requirements.txt", 1}}, advisory) ==
               "zope-interface 5.0 is affected by GHSA-1: It leaks");
    BOOST_TEST(judged({{"PyPI", "left", "1.3.0", "r", 1}}, advisory) == "none"); // another ecosystem's
    BOOST_TEST(judged({{"npm", "left", "1.3.0", "p", 0}}, R"({"name":"x"})") == "no entry");
    BOOST_TEST(
        judged(
            {{"npm", "left", "1.3.0", "p", 0}},
            R"([{"id":"A","withdrawn":"2024-01-01T00:00:00Z","affected":[{"package":{"ecosystem":"npm","name":"left"},"versions":["1.3.0"]}]}])") ==
        "none");
    BOOST_TEST(
        judged(
            {{"npm", "left", "1.3.0", "p", 0}},
            R"({"id":"A","affected":[{"package":{"ecosystem":"npm","name":"left"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"last_affected":"1.3.0"}]}]}]})") !=
        "none");
}

BOOST_AUTO_TEST_CASE(an_allow_list_takes_rules_places_and_fingerprints) {
    const audit_finding f{"call-shell", audit_level::warning, "src/a.py", 3, "m", "0123456789abcdef"};
    const auto allows = [&](std::string_view line) { return allow_list::parse(line).allows(f); };
    BOOST_TEST(allows("call-shell src/**"));
    BOOST_TEST(allows("* *.py  # ours"));
    BOOST_TEST(allows("0123456789abcdef"));
    BOOST_TEST(!allows("call-shell docs/**"));
    BOOST_TEST(!allows("secret-assigned src/**"));
    BOOST_TEST(!allows("# call-shell src/**"));
    BOOST_TEST(!allows("call-shell"));
}

BOOST_AUTO_TEST_CASE(a_project_is_scanned_and_the_same_tree_gives_the_same_bytes) {
    const audited p;
    const auto r = p.perform("scan_security", "{}");
    BOOST_TEST(r.content.starts_with("errors: 2, warnings: 2, notes: 0, files: 2, complete: true\n"), r.content);
    BOOST_TEST(contains(r.content, "src/a.py:2: a token of GitHub (ghp\\_…) (secret-known-format)"));
    BOOST_TEST(contains(r.content, "src/a.py:3: os.system(: A shell runs a line (call-shell)"));
    BOOST_TEST(contains(r.content, "left 1.3.0 is affected by GHSA-1"));
    BOOST_TEST(contains(r.content, "mode 666"));
    BOOST_TEST(!contains(r.content + r.details.text, "a1B2c3"));
    const auto again = p.perform("scan_security", "{}");
    BOOST_TEST(again.content == r.content);
    BOOST_TEST(again.details.text == r.details.text);
    BOOST_TEST(p.perform("scan_security", with_path("src")).content.starts_with("errors: 1, warnings: 2"));
    BOOST_TEST(
        contains(p.perform("scan_security", R"({"advisories":"none"})").content, "were not held against advisories"));
    BOOST_TEST(p.perform("scan_security", with_path("../x")).is_error);
}

BOOST_AUTO_TEST_CASE(what_is_allowed_is_counted_and_not_named) {
    const audited p;
    p.write(".troupe-audit-allow", "secret-known-format src/**\n* package-lock.json\n");
    const auto r = p.perform("scan_security", R"({"allow":["mode-world-writable **"]})");
    BOOST_TEST(r.content.starts_with("errors: 0, warnings: 1, notes: 0"), r.content);
    BOOST_TEST(details_of(r).root().int_or("allowed") == 3);
}

BOOST_AUTO_TEST_CASE(a_report_is_written_as_sarif_and_does_not_change_the_next_one) {
    const audited p;
    const auto r = p.perform("write_security_report", "{}");
    BOOST_TEST(!r.is_error, r.content);
    const auto sarif = p.read("security-audit.sarif");
    const auto parsed = json::document::parse(sarif);
    BOOST_REQUIRE(parsed);
    BOOST_TEST(parsed->root().text_or("version") == "2.1.0");
    BOOST_TEST(parsed->root().pointer("/runs/0/results").value().size() == 4u);
    BOOST_TEST(parsed->root()
                   .pointer("/runs/0/results/1/locations/0/physicalLocation/artifactLocation/uri")
                   .value()
                   .as_string()
                   .value() == "src/a.py");
    BOOST_TEST(parsed->root().pointer("/runs/0/tool/driver/rules").value().size() == audit_rules().size());
    (void)p.perform("write_security_report", "{}");
    BOOST_TEST(p.read("security-audit.sarif") == sarif);
    BOOST_TEST(contains(p.read("security-audit.md"), "# Security audit\n\n2 errors, 2 warnings"));
}

BOOST_AUTO_TEST_CASE(sarif_is_the_one_that_its_schema_was_tried_on) {
    audit_report r;
    r.findings = {{"secret-known-format", audit_level::error, "src/ü b.py", 2, "a \"token\"", "00112233aabbccdd"},
                  {"mode-setuid", audit_level::error, "bin/x", 0, "mode 4755", "0011223344556677"}};
    r.notes = {"No other scanner was run."};
    r.complete = false;
    // tests/system/kinds_test.py holds this file against the schema of SARIF.
    const auto file = kinds_folder() / "security-audit.sarif";
    std::ifstream in(file);
    std::string kept{std::istreambuf_iterator<char>(in), {}};
    const auto version = kept.find("\"semanticVersion\":\"");
    BOOST_REQUIRE_MESSAGE(version != kept.npos, to_sarif(r));
    const auto begin = version + std::string_view("\"semanticVersion\":\"").size();
    kept.replace(begin, kept.find('"', begin) - begin, TROUPE_VERSION);
    BOOST_TEST(to_sarif(r) == kept);
    BOOST_TEST(contains(kept, "src/%C3%BC%20b.py"));
}

BOOST_AUTO_TEST_CASE(hostile_projects_are_read_in_bounds) {
    const tool_place p;
    std::string line;
    for (int i = 0; i < 60'000; ++i) {
        line += "xoxb-token=" + std::string("\"://a:b@-----BEGIN ");
    }
    p.write("long.js", line);
    p.write("binary", std::string("ghp_\0", 5));
    p.write("big", std::string(3 << 20, 'a'));
    std::ofstream(p.root / "outside") << github;
    fs::create_symlink(p.root / "outside", p.project / "link");
    fs::create_symlink(p.root, p.project / "folder");
    BOOST_REQUIRE(::mkfifo((p.project / "pipe").c_str(), 0644) == 0);
    std::string deep;
    for (int i = 0; i < 60; ++i) {
        deep += "/d";
    }
    fs::create_directories(p.project.native() + deep);
    const auto r = p.perform("scan_security", "{}");
    BOOST_TEST(!r.is_error, r.content);
    BOOST_TEST(details_of(r).root().int_or("skipped") == 2);
    BOOST_TEST(!contains(r.content, "link"));
    BOOST_TEST(contains(r.content, "complete: false")); // the folder is too deep
    BOOST_TEST(r.content.size() <= tool_content_bytes_max);
    std::vector<audit_finding> out;
    for (const auto& text : {std::string(10 << 20, '='), std::string(1 << 20, '\0'), line, std::string(1 << 20, ':')}) {
        find_secrets("a.c", text, out);
        find_dangerous_calls("a.c", text, out);
    }
    BOOST_TEST(out.size() <= 1000u);
}

BOOST_AUTO_TEST_CASE(a_scan_that_is_cancelled_says_so) {
    audited p;
    std::stop_source stopped;
    stopped.request_stop();
    p.where.stop = stopped.get_token();
    BOOST_TEST(p.perform("scan_security", "{}").is_error);
}

BOOST_AUTO_TEST_SUITE_END()

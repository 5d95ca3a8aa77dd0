#include "actors/kinds/scanned_text.hpp"
#include "actors/kinds/security_auditor/finding_lines.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>

namespace troupe::actors {

namespace {

enum class language : std::uint8_t { none, python, javascript, c, go, rust, java, shell };

struct dangerous_call {
    language in;
    std::string_view call; ///< As it stands in a line, with no letter, digit or underscore before it.
    std::string_view rule;
    std::string_view with = {}; ///< Counts only in a line that has this too.
    std::string_view without = {};
};

using enum language;
constexpr std::array calls = {
    dangerous_call{python, "eval(", "call-runs-code"},
    dangerous_call{python, "exec(", "call-runs-code"},
    dangerous_call{python, "os.system(", "call-shell"},
    dangerous_call{python, "os.popen(", "call-shell"},
    dangerous_call{python, "shell=True", "call-shell"},
    dangerous_call{python, "pickle.load", "call-deserializes"},
    dangerous_call{python, "marshal.load", "call-deserializes"},
    dangerous_call{python, "yaml.load(", "call-deserializes", {}, "SafeLoader"},
    dangerous_call{python, "verify=False", "call-no-verification"},
    dangerous_call{python, "ssl._create_unverified_context", "call-no-verification"},
    dangerous_call{python, "hashlib.md5(", "call-weak-hash"},
    dangerous_call{python, "hashlib.sha1(", "call-weak-hash"},
    dangerous_call{python, "tempfile.mktemp(", "call-temporary-name"},
    dangerous_call{javascript, "eval(", "call-runs-code"},
    dangerous_call{javascript, "new Function(", "call-runs-code"},
    dangerous_call{javascript, "vm.runIn", "call-runs-code"},
    dangerous_call{javascript, "exec(", "call-shell", "child_process"},
    dangerous_call{javascript, "child_process.exec", "call-shell", {}, "execFile"},
    dangerous_call{javascript, "execSync(", "call-shell"},
    dangerous_call{javascript, "innerHTML =", "call-writes-markup"},
    dangerous_call{javascript, "outerHTML =", "call-writes-markup"},
    dangerous_call{javascript, "dangerouslySetInnerHTML", "call-writes-markup"},
    dangerous_call{javascript, "document.write(", "call-writes-markup"},
    dangerous_call{javascript, "rejectUnauthorized: false", "call-no-verification"},
    dangerous_call{javascript, "NODE_TLS_REJECT_UNAUTHORIZED", "call-no-verification"},
    dangerous_call{javascript, "createHash('md5')", "call-weak-hash"},
    dangerous_call{javascript, "createHash(\"md5\")", "call-weak-hash"},
    dangerous_call{javascript, "createHash('sha1')", "call-weak-hash"},
    dangerous_call{javascript, "createHash(\"sha1\")", "call-weak-hash"},
    dangerous_call{c, "gets(", "call-no-bounds"},
    dangerous_call{c, "strcpy(", "call-no-bounds"},
    dangerous_call{c, "strcat(", "call-no-bounds"},
    dangerous_call{c, "sprintf(", "call-no-bounds"},
    dangerous_call{c, "vsprintf(", "call-no-bounds"},
    dangerous_call{c, "scanf(\"%s", "call-no-bounds"},
    dangerous_call{c, "system(", "call-shell"},
    dangerous_call{c, "popen(", "call-shell"},
    dangerous_call{c, "mktemp(", "call-temporary-name"},
    dangerous_call{c, "tmpnam(", "call-temporary-name"},
    dangerous_call{c, "tempnam(", "call-temporary-name"},
    dangerous_call{c, "MD5(", "call-weak-hash"},
    dangerous_call{c, "SSL_VERIFY_NONE", "call-no-verification"},
    dangerous_call{go, "exec.Command(\"sh\"", "call-shell"},
    dangerous_call{go, "exec.Command(\"bash\"", "call-shell"},
    dangerous_call{go, "InsecureSkipVerify: true", "call-no-verification"},
    dangerous_call{go, "md5.New(", "call-weak-hash"},
    dangerous_call{go, "md5.Sum(", "call-weak-hash"},
    dangerous_call{go, "sha1.New(", "call-weak-hash"},
    dangerous_call{go, "template.HTML(", "call-writes-markup"},
    dangerous_call{go, "unsafe.Pointer", "call-unsafe-memory"},
    dangerous_call{rust, "unsafe {", "call-unsafe-memory"},
    dangerous_call{rust, "transmute(", "call-unsafe-memory"},
    dangerous_call{rust, "transmute::<", "call-unsafe-memory"},
    dangerous_call{rust, "danger_accept_invalid_certs(true)", "call-no-verification"},
    dangerous_call{rust, "Command::new(\"sh\")", "call-shell"},
    dangerous_call{java, "getRuntime().exec(", "call-shell"},
    dangerous_call{java, "new ObjectInputStream(", "call-deserializes"},
    dangerous_call{java, "getInstance(\"MD5\")", "call-weak-hash"},
    dangerous_call{java, "getInstance(\"SHA-1\")", "call-weak-hash"},
    dangerous_call{java, "ScriptEngineManager(", "call-runs-code"},
    dangerous_call{java, "ALLOW_ALL_HOSTNAME_VERIFIER", "call-no-verification"},
    dangerous_call{shell, "eval ", "call-runs-code"},
    dangerous_call{shell, "curl ", "call-runs-code", "| sh"},
    dangerous_call{shell, "curl ", "call-runs-code", "| bash"},
    dangerous_call{shell, "wget ", "call-runs-code", "| sh"},
    dangerous_call{shell, "curl -k", "call-no-verification"},
    dangerous_call{shell, "--insecure", "call-no-verification"},
    dangerous_call{shell, "chmod 777", "mode-world-writable"},
};

language language_of(std::string_view path) {
    static constexpr std::pair<std::string_view, language> suffixes[] = {
        {".py", python},      {".js", javascript}, {".mjs", javascript}, {".cjs", javascript},
        {".jsx", javascript}, {".ts", javascript}, {".tsx", javascript}, {".c", c},
        {".cc", c},           {".cpp", c},         {".cxx", c},          {".h", c},
        {".hpp", c},          {".hh", c},          {".go", go},          {".rs", rust},
        {".java", java},      {".sh", shell},      {".bash", shell}};
    for (const auto& [suffix, is] : suffixes) {
        if (path.ends_with(suffix)) {
            return is;
        }
    }
    return none;
}

bool is_comment(language in, std::string_view line) {
    const auto words = trimmed(line);
    return in == python || in == shell ? words.starts_with('#')
                                       : words.starts_with("//") || words.starts_with("*") || words.starts_with("/*");
}

bool continues_a_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// Whether the call stands in the line as a word of its own. A method of that name is another one's: "model.eval()".
bool stands_in(std::string_view line, const dangerous_call& d) {
    for (auto at = line.find(d.call); at != line.npos; at = line.find(d.call, at + 1)) {
        const char before = at == 0 ? ' ' : line[at - 1];
        const bool method = d.with.empty() && (before == '.' || line.substr(0, at).ends_with("->")) &&
                            (d.call == "eval(" || d.call == "exec(" || d.call == "system(" || d.call == "gets(");
        const bool defined = line.substr(0, at).ends_with("def ") || line.substr(0, at).ends_with("function ");
        if (!continues_a_word(before) && !method && !defined) {
            return true;
        }
    }
    return false;
}

} // namespace

void find_dangerous_calls(std::string_view path, std::string_view text, std::vector<audit_finding>& out) {
    const auto in = language_of(path);
    if (in == none) {
        return;
    }
    finding_lines lines(path, text, out);
    for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find('\n', at), text.size());
        const auto line = text.substr(at, std::min(end - at, scanned_line_bytes_max));
        if (!is_comment(in, line)) {
            std::string_view told;
            for (const auto& d : calls) {
                if (d.in == in && d.rule != told && stands_in(line, d) &&
                    (d.with.empty() || line.find(d.with) != line.npos) &&
                    (d.without.empty() || line.find(d.without) == line.npos)) {
                    told = d.rule;
                    const auto* rule = find_audit_rule(d.rule);
                    lines.add(d.rule, at, fmt::format("{}: {}", trimmed(d.call), rule->title));
                }
            }
        }
        at = end + 1;
    }
}

void judge_mode(const std::string& path, std::uint32_t mode, std::vector<audit_finding>& out) {
    const auto add = [&](std::string_view rule, std::string message) {
        out.push_back({std::string(rule), find_audit_rule(rule)->level, path, 0, std::move(message),
                       fingerprint_of(rule, path, "")});
    };
    const bool folder = S_ISDIR(mode);
    if (!folder && !S_ISREG(mode)) {
        return;
    }
    if ((mode & S_IWOTH) != 0 && !(folder && (mode & S_ISVTX) != 0)) {
        add("mode-world-writable", fmt::format("mode {:o}: everybody on the machine may write it", mode & 07777U));
    }
    if (!folder && (mode & (S_ISUID | S_ISGID)) != 0) {
        add("mode-setuid", fmt::format("mode {:o}: it runs with the rights of its owner or group", mode & 07777U));
    }
}

} // namespace troupe::actors

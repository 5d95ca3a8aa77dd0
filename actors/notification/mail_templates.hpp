#pragma once

#include "schemas/base/problem.hpp"
#include "schemas/notification.hpp"

#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

/// The texts of e-mails. Pure but for reading the operator's folder.
namespace troupe::actors {

struct mail_text {
    std::string subject;
    std::string body;
};

/// One for each kind ("mention") and one for several notifications in one e-mail ("several").
class mail_templates {
public:
    /// The built-in ones.
    mail_templates();
    /// Those, but for what the folder has: KIND.txt and several.txt. The first line is "Subject: …", the second is
    /// empty.
    /// {{title}}, {{text}}, {{url}}, {{kind}}, {{priority}} and {{actor}} stand for what is told; in several.txt
    /// {{count}} and {{items}}. `config_invalid` names file and line.
    static expected<mail_templates> read(const std::filesystem::path& folder);

    /// Takes one; `name` without its end. `config_invalid`.
    expected<void> set(const std::string& name, std::string_view text);

    /// `told` has at least one. `link` gives the address of what one is about, or nothing.
    template <class Link>
    [[nodiscard]] mail_text write(const std::vector<notification_document>& told, Link link) const {
        std::vector<std::string> links;
        for (const auto& one : told) {
            links.push_back(link(one));
        }
        return write_with(told, links);
    }

private:
    [[nodiscard]] mail_text write_with(const std::vector<notification_document>& told,
                                       const std::vector<std::string>& links) const;

    std::map<std::string, mail_text, std::less<>> by_name_;
};

} // namespace troupe::actors

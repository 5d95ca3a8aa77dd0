#include "actors/audit/audit_text.hpp"

#include <hpdf.h>

#include <array>
#include <charconv>
#include <memory>

namespace troupe::actors {

namespace {

constexpr float page_width = 842; // A4 landscape, in points
constexpr float page_height = 595;
constexpr float margin = 30;
constexpr float line_height = 10;
constexpr float text_size = 7;

struct column {
    const char* title;
    float width;
};
constexpr std::array columns{column{"Time (UTC)", 96},   column{"Result", 36},  column{"Action", 110},
                             column{"Principal", 185},   column{"Entity", 195}, column{"Address", 70},
                             column{"Chain (begin)", 80}};

/// Latin-1, which the fonts of every reader have; what is beyond it as \u{…}.
std::string to_latin1(std::string_view utf8) {
    std::string out;
    for (std::size_t i = 0; i < utf8.size();) {
        const auto lead = static_cast<unsigned char>(utf8[i]);
        const std::size_t length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
        std::uint32_t point = lead < 0x80 ? lead : lead & (0xffU >> (length + 1));
        for (std::size_t k = 1; k < length && i + k < utf8.size(); ++k) {
            point = point << 6 | (static_cast<unsigned char>(utf8[i + k]) & 0x3fU);
        }
        i += length;
        if ((point >= 0x20 && point < 0x7f) || (point >= 0xa0 && point <= 0xff)) {
            out += static_cast<char>(point);
        } else {
            std::array<char, 8> digits{};
            const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), point, 16).ptr;
            out += "\\u{" + std::string(digits.data(), end) + "}";
        }
    }
    return out;
}

/// The library reports by a callback; what it reported last is the document's problem.
struct failure {
    HPDF_STATUS error = HPDF_OK;
};

void note(HPDF_STATUS error, HPDF_STATUS, void* to) { static_cast<failure*>(to)->error = error; }

class report {
public:
    report(HPDF_Doc doc, std::string title) : doc_(doc), title_(std::move(title)) {
        font_ = HPDF_GetFont(doc_, "Helvetica", "WinAnsiEncoding");
        bold_ = HPDF_GetFont(doc_, "Helvetica-Bold", "WinAnsiEncoding");
    }

    void add(const audit_entry& e) {
        if (page_ == nullptr || y_ < margin + line_height) {
            begin_page();
        }
        const std::array cells{to_string(e.at).substr(0, 23),
                               std::string(detail::enum_name(e.result)),
                               e.action,
                               e.principal,
                               e.kind + "/" + to_string(e.entity_id),
                               e.address,
                               e.chain.substr(0, 16)};
        for (std::size_t i = 0; i < cells.size(); ++i) {
            put(i, cells[i], font_);
        }
        y_ -= line_height;
    }

    void end() {
        if (page_ == nullptr) {
            begin_page();
        }
    }

private:
    void begin_page() {
        page_ = HPDF_AddPage(doc_);
        HPDF_Page_SetSize(page_, HPDF_PAGE_SIZE_A4, HPDF_PAGE_LANDSCAPE);
        y_ = page_height - margin;
        text_at(margin, title_ + ", page " + std::to_string(++number_), bold_, 9);
        y_ -= 2 * line_height;
        for (std::size_t i = 0; i < columns.size(); ++i) {
            put(i, columns[i].title, bold_);
        }
        y_ -= line_height;
    }

    void text_at(float x, const std::string& text, HPDF_Font font, float size) {
        HPDF_Page_BeginText(page_);
        HPDF_Page_SetFontAndSize(page_, font, size);
        HPDF_Page_TextOut(page_, x, y_, text.c_str());
        HPDF_Page_EndText(page_);
    }

    void put(std::size_t at, std::string_view text, HPDF_Font font) {
        float x = margin;
        for (std::size_t i = 0; i < at; ++i) {
            x += columns[i].width;
        }
        auto shown = to_latin1(text);
        HPDF_Page_SetFontAndSize(page_, font, text_size);
        while (!shown.empty() && HPDF_Page_TextWidth(page_, shown.c_str()) > columns[at].width - 4) {
            shown.pop_back();
        }
        text_at(x, shown, font, text_size);
    }

    HPDF_Doc doc_;
    std::string title_;
    HPDF_Font font_ = nullptr;
    HPDF_Font bold_ = nullptr;
    HPDF_Page page_ = nullptr;
    float y_ = 0;
    int number_ = 0;
};

} // namespace

expected<std::string> to_pdf(const std::vector<audit_entry>& entries, std::string_view title) {
    failure failed;
    const std::unique_ptr<std::remove_pointer_t<HPDF_Doc>, decltype(&HPDF_Free)> doc(HPDF_New(note, &failed),
                                                                                     &HPDF_Free);
    const auto wrong = [&] {
        return problem{code::internal, "the PDF cannot be made (error " + std::to_string(failed.error) +
                                           "); export as CSV or JSON instead"};
    };
    if (!doc) {
        return wrong();
    }
    HPDF_SetCompressionMode(doc.get(), HPDF_COMP_ALL);
    HPDF_SetInfoAttr(doc.get(), HPDF_INFO_TITLE, to_latin1(title).c_str());
    report made(doc.get(), to_latin1(title));
    for (const auto& e : entries) {
        made.add(e);
    }
    made.end();
    if (HPDF_SaveToStream(doc.get()) != HPDF_OK || failed.error != HPDF_OK) {
        return wrong();
    }
    std::string out(HPDF_GetStreamSize(doc.get()), '\0');
    auto size = static_cast<HPDF_UINT32>(out.size());
    HPDF_ReadFromStream(doc.get(), reinterpret_cast<HPDF_BYTE*>(out.data()), &size);
    out.resize(size);
    return out;
}

} // namespace troupe::actors

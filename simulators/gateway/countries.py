"""The countries that a system may be in: alpha-3 in the administration, alpha-2 to the agent (ISO 3166-1).

Which ones the real administration allows is not public: these are the member states of the European Union and
of its free-trade association, with some others where the PBXs are sold.
"""

_PAIRS = (
    "ARE AE|AUS AU|AUT AT|BEL BE|BGR BG|BRA BR|CAN CA|CHE CH|CHN CN|CYP CY|CZE CZ|DEU DE|"
    "DNK DK|DZA DZ|EGY EG|ESP ES|EST EE|FIN FI|FRA FR|GBR GB|GLP GP|GRC GR|GUF GF|HKG HK|"
    "HRV HR|HUN HU|IND IN|IRL IE|ISL IS|ISR IL|ITA IT|JPN JP|LIE LI|LTU LT|LUX LU|LVA LV|"
    "MAR MA|MCO MC|MEX MX|MLT MT|MTQ MQ|NLD NL|NOR NO|NZL NZ|POL PL|PRT PT|QAT QA|REU RE|"
    "ROU RO|SAU SA|SEN SN|SGP SG|SVK SK|SVN SI|SWE SE|THA TH|TUN TN|TUR TR|USA US|ZAF ZA"
)
ALPHA_2 = dict(pair.split(" ") for pair in _PAIRS.split("|"))

# For the description of the calls: a country is one of these.
PATTERN = f"^({'|'.join(ALPHA_2)})$"

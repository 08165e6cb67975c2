"""The table of the simulated market's instruments, with made-up but plausible prices of late 2026. Data only.

Rows of a market are `code price turnover volatility name`: the price's text sets the decimals, the turnover is in
millions of quote currency a day, the volatility in percent a day. Rows of `PAIRS` are `symbol decimals turnover`.
"""

from __future__ import annotations

from typing import NamedTuple


class Market(NamedTuple):
    """Instruments that share a currency, trading rules and the noises that move them together.

    Attributes:
        form: how a row's code becomes a symbol, `{}-USD`.
        factors: shared noises and their weights; the instrument's own noise makes the sum of squares 1.
        spread_bps: the spread at a turnover of 100 million, in basis points.
        label: is appended to the names of instruments that are not quoted in dollars.
    """

    form: str
    factors: dict[str, float]
    spread_bps: float
    rows: str
    label: str = ""
    tick: int = 1
    lot: int = 0


_STOCK = {"equities": 0.55}

MARKETS = (
    Market("{}-USD", {"crypto": 0.72}, 2.0, rows="""
BTC 97412.35 1790 2.2 Bitcoin
ETH 3384.12 904.2 2.9 Ethereum
SOL 238.471 612.8 3.6 Solana
XRP 1.4427 441.0 3.5 XRP
DOGE 0.39218 318.7 4.2 Dogecoin
BNB 642.38 205.4 2.4 BNB
ADA 0.83471 189.6 3.6 Cardano
AVAX 36.284 151.2 4.0 Avalanche
LINK 15.2418 138.8 3.8 Chainlink
SUI 3.6127 121.5 4.8 Sui
TRX 0.20184 103.6 2.1 TRON
LTC 89.46 98.3 3.2 Litecoin
DOT 6.1834 87.0 3.7 Polkadot
PEPE 0.00002048 84.6 6.0 Pepe
BCH 436.82 76.9 3.2 Bitcoin Cash
SHIB 0.00002417 74.3 4.6 Shiba Inu
NEAR 5.7712 72.1 4.3 NEAR Protocol
XLM 0.42163 68.2 3.9 Stellar
HBAR 0.27846 63.7 4.5 Hedera
UNI 9.2835 58.3 4.2 Uniswap
TON 5.4231 54.8 3.1 Toncoin
ATOM 6.4521 47.2 3.9 Cosmos Hub
APT 12.384 44.9 4.6 Aptos
ICP 10.927 41.3 4.1 Internet Computer
AAVE 168.73 39.4 4.2 Aave
ETC 27.136 38.1 3.5 Ethereum Classic
ARB 0.8142 36.0 4.5 Arbitrum
OP 1.9438 34.2 4.6 Optimism
FIL 5.2167 33.1 4.1 Filecoin
INJ 27.916 31.8 4.7 Injective
TAO 512.46 30.5 4.9 Bittensor
RENDER 7.4182 29.3 4.8 Render
HYPE 24.673 28.7 5.2 Hyperliquid
KAS 0.14372 26.4 4.4 Kaspa
WIF 2.8164 25.9 6.2 dogwifhat
BONK 0.00003926 24.8 5.8 Bonk
FET 1.5273 23.6 5.1 Artificial Superintelligence Alliance
SEI 0.51284 22.4 4.9 Sei
STX 2.0815 21.7 4.6 Stacks
TIA 7.1346 20.9 5.0 Celestia
VET 0.046218 19.8 4.1 VeChain
ALGO 0.36142 19.1 4.3 Algorand
MKR 1874.6 18.4 3.8 Maker
LDO 1.8427 17.6 4.7 Lido DAO
GRT 0.26173 16.9 4.6 The Graph
IMX 1.6238 16.1 4.6 Immutable
RUNE 5.4827 15.7 4.8 THORChain
POL 0.57318 15.2 4.2 POL
JUP 1.0926 14.8 4.9 Jupiter
PYTH 0.43871 13.9 4.9 Pyth Network
ONDO 1.3164 13.6 4.7 Ondo
ENA 0.87235 13.2 5.6 Ethena
FLOKI 0.00021874 12.7 5.7 FLOKI
QNT 114.83 12.1 3.6 Quant
SAND 0.62417 11.8 4.5 The Sandbox
MANA 0.54826 11.3 4.4 Decentraland
THETA 2.2143 10.9 4.3 Theta Network
AXS 7.3218 10.4 4.5 Axie Infinity
GALA 0.042873 10.1 4.9 Gala
FLOW 0.86317 9.7 4.1 Flow
XTZ 1.2846 9.4 4.0 Tezos
EOS 0.81642 9.1 4.2 EOS
CRV 0.92738 8.8 5.3 Curve DAO
SNX 2.3641 8.5 4.6 Synthetix
EGLD 36.472 8.2 4.2 MultiversX
CHZ 0.098346 7.9 4.3 Chiliz
APE 1.4928 7.7 4.6 ApeCoin
KAVA 0.56128 7.4 3.9 Kava
MINA 0.71463 7.2 4.4 Mina
CFX 0.19427 7.0 5.0 Conflux
DYDX 1.8135 6.8 4.8 dYdX
ENS 36.821 6.6 4.6 Ethereum Name Service
ZEC 58.274 6.4 4.1 Zcash
DASH 41.536 6.2 3.8 Dash
NEO 16.284 6.0 3.9 Neo
IOTA 0.31472 5.8 4.4 IOTA
XMR 187.42 5.7 2.8 Monero
COMP 84.36 5.5 4.3 Compound
1INCH 0.43628 5.3 4.3 1inch
BAT 0.26814 5.1 3.9 Basic Attention Token
ZRX 0.57361 4.9 4.2 0x Protocol
ROSE 0.093412 4.7 4.7 Oasis
CELO 0.81347 4.5 4.5 Celo
ZIL 0.027461 4.3 4.2 Zilliqa
HNT 6.8724 4.1 4.6 Helium
AR 19.483 4.0 4.8 Arweave
JASMY 0.036184 3.9 5.2 JasmyCoin
WLD 2.7816 3.8 5.4 Worldcoin
BLUR 0.34728 3.6 5.1 Blur
GMX 28.643 3.5 4.5 GMX
SUSHI 1.3427 3.4 4.9 SushiSwap
YFI 8426 3.2 4.1 yearn.finance
LRC 0.24316 3.1 4.3 Loopring
ANKR 0.039427 3.0 4.3 Ankr
MASK 3.2714 2.9 4.6 Mask Network
STORJ 0.57823 2.8 4.4 Storj
KSM 33.18 2.6 4.0 Kusama
ICX 0.21374 2.4 4.2 ICON
QTUM 3.6241 2.3 3.9 Qtum
BAL 2.4716 2.1 4.2 Balancer
BAND 1.6183 2.0 4.4 Band Protocol
SKL 0.067214 1.9 4.7 SKALE
ONT 0.26183 1.8 4.2 Ontology
RVN 0.021846 1.7 4.4 Ravencoin
OCEAN 0.71426 1.6 4.9 Ocean Protocol
CTSI 0.19673 1.5 4.5 Cartesi
API3 1.7342 1.4 4.7 API3
NMR 17.826 1.3 4.3 Numeraire
DGB 0.012748 1.2 4.1 DigiByte
SC 0.0062418 1.1 4.3 Siacoin
USDT 1.00012 164.0 0.03 Tether
USDC 0.99998 142.0 0.02 USD Coin
"""),
    Market("{}-USD", {"dollar": 0.62}, 1.5, rows="""
EUR 1.04182 588.1 0.46 Euro
GBP 1.25318 233.9 0.50 Pound Sterling
AUD 0.65048 66.9 0.62 Australian Dollar
NZD 0.58624 28.4 0.64 New Zealand Dollar
"""),
    Market("USD-{}", {"dollar": 0.62}, 1.5, rows="""
JPY 154.386 402.5 0.58 Yen
CHF 0.88734 96.2 0.48 Swiss Franc
CAD 1.40216 88.4 0.36 Canadian Dollar
CNH 7.25318 61.5 0.24 Offshore Yuan
MXN 20.3416 37.2 0.74 Mexican Peso
SEK 11.0284 22.6 0.66 Swedish Krona
NOK 11.1473 20.8 0.68 Norwegian Krone
SGD 1.34627 19.4 0.28 Singapore Dollar
HKD 7.78214 18.7 0.03 Hong Kong Dollar
ZAR 18.1426 17.3 0.88 South African Rand
TRY 34.5218 15.6 0.42 Turkish Lira
PLN 4.13826 14.2 0.62 Polish Zloty
BRL 5.81437 13.5 0.92 Brazilian Real
INR 84.412 12.6 0.18 Indian Rupee
DKK 7.15932 11.4 0.46 Danish Krone
KRW 1396.42 10.2 0.50 South Korean Won
CZK 24.2716 9.3 0.58 Czech Koruna
HUF 394.28 8.9 0.72 Hungarian Forint
THB 34.6218 8.1 0.44 Thai Baht
ILS 3.72814 7.4 0.58 Israeli Shekel
TWD 32.4836 6.7 0.28 Taiwan Dollar
PHP 58.842 5.2 0.34 Philippine Peso
IDR 15874 4.8 0.38 Indonesian Rupiah
CLP 974.36 4.1 0.72 Chilean Peso
COP 4412.8 3.6 0.78 Colombian Peso
RON 4.77642 3.1 0.46 Romanian Leu
MYR 4.46728 2.9 0.34 Malaysian Ringgit
AED 3.67264 2.4 0.01 UAE Dirham
SAR 3.75462 2.1 0.01 Saudi Riyal
"""),
    Market("{}-USD", {"metals": 0.62, "dollar": 0.28}, 2.0, rows="""
XAU 2664.85 287.4 0.9 Gold, troy ounce
XAG 31.318 51.7 1.7 Silver, troy ounce
XPT 968.42 16.4 1.4 Platinum, troy ounce
XPD 1012.63 12.9 1.9 Palladium, troy ounce
XCU 4.1382 9.6 1.2 Copper, pound
XAL 1.1874 4.4 1.1 Aluminium, pound
"""),
    Market("{}", _STOCK, 0.6, lot=1, rows="""
NVDA 146.67 264.0 2.6 NVIDIA
AAPL 228.52 212.0 1.3 Apple
TSLA 339.64 176.0 3.2 Tesla
MSFT 417.32 129.0 1.2 Microsoft
AMZN 202.61 112.0 1.6 Amazon.com
META 563.09 93.0 1.8 Meta Platforms
GOOGL 175.98 82.4 1.5 Alphabet
AMD 138.35 75.2 2.5 Advanced Micro Devices
AVGO 163.84 64.9 2.3 Broadcom
PLTR 61.36 60.7 3.4 Palantir Technologies
MSTR 382.16 53.8 4.4 MicroStrategy
CVNA 254.62 46.3 3.9 Carvana
NFLX 883.85 43.4 1.8 Netflix
JPM 243.09 35.6 1.2 JPMorgan Chase
BRK.B 468.74 32.7 0.9 Berkshire Hathaway B
LLY 753.41 31.2 1.8 Eli Lilly
V 311.85 27.4 1.0 Visa
UNH 598.64 26.8 1.5 UnitedHealth
XOM 121.79 25.3 1.2 Exxon Mobil
COST 929.78 24.1 1.1 Costco Wholesale
WMT 88.74 23.4 1.0 Walmart
MA 521.16 22.8 1.0 Mastercard
ORCL 192.43 22.1 1.9 Oracle
HD 412.37 20.4 1.2 Home Depot
PG 174.28 18.9 0.8 Procter & Gamble
CRM 342.18 18.2 1.9 Salesforce
BAC 46.83 17.8 1.3 Bank of America
JNJ 155.42 16.6 0.8 Johnson & Johnson
CVX 161.37 15.9 1.2 Chevron
INTC 24.36 15.4 2.6 Intel
ADBE 512.64 14.9 1.8 Adobe
MU 102.74 14.4 2.8 Micron Technology
KO 63.92 13.8 0.7 Coca-Cola
ABBV 171.46 13.1 1.2 AbbVie
QCOM 156.28 12.8 1.9 Qualcomm
PEP 159.83 12.3 0.9 PepsiCo
DIS 114.72 12.0 1.4 Walt Disney
MRK 98.64 11.7 1.1 Merck
BA 149.38 11.5 2.2 Boeing
CSCO 57.84 11.2 1.0 Cisco Systems
GS 597.26 10.8 1.5 Goldman Sachs
UBER 71.42 10.6 2.1 Uber Technologies
PFE 25.18 10.3 1.2 Pfizer
TXN 201.37 9.9 1.6 Texas Instruments
CAT 393.64 9.6 1.5 Caterpillar
GE 178.42 9.3 1.6 GE Aerospace
IBM 222.94 9.0 1.1 IBM
NKE 77.28 8.7 1.5 Nike
MCD 293.46 8.5 0.9 McDonald's
WFC 75.83 8.2 1.5 Wells Fargo
T 22.93 8.0 1.0 AT&T
VZ 42.68 7.8 0.9 Verizon
SNOW 168.74 7.5 3.1 Snowflake
SHOP 106.42 7.3 2.8 Shopify
PYPL 86.37 7.1 2.0 PayPal
F 11.142 6.9 1.8 Ford Motor
GM 57.64 6.7 1.9 General Motors
SBUX 99.48 6.5 1.3 Starbucks
AMGN 294.83 6.2 1.2 Amgen
LMT 534.72 6.0 1.0 Lockheed Martin
RTX 119.46 5.8 1.1 RTX
HON 229.37 5.6 1.1 Honeywell
DE 441.83 5.4 1.4 Deere
UPS 133.27 5.2 1.3 United Parcel Service
C 69.74 5.0 1.6 Citigroup
MS 133.48 4.9 1.5 Morgan Stanley
BLK 1034.62 4.8 1.3 BlackRock
SCHW 81.93 4.6 1.6 Charles Schwab
AXP 297.46 4.5 1.3 American Express
GILD 88.72 4.3 1.1 Gilead Sciences
ISRG 541.38 4.2 1.5 Intuitive Surgical
PANW 392.76 4.1 2.0 Palo Alto Networks
CRWD 357.28 4.0 2.5 CrowdStrike
NOW 1042.83 3.9 1.8 ServiceNow
ARM 134.62 3.8 3.2 Arm Holdings
SMCI 33.184 3.7 5.0 Super Micro Computer
HOOD 36.842 3.6 3.8 Robinhood Markets
RIVN 10.327 3.4 3.9 Rivian Automotive
LCID 2.1438 3.2 4.2 Lucid Group
NIO 4.6728 3.1 3.6 NIO
BABA 84.37 3.0 2.4 Alibaba, ADR
PDD 104.62 2.9 2.9 PDD Holdings, ADR
TSM 190.46 2.8 2.1 Taiwan Semiconductor, ADR
ASML 672.18 2.7 2.2 ASML Holding, ADR
NVO 104.83 2.6 2.0 Novo Nordisk, ADR
SONY 18.964 2.4 1.5 Sony Group, ADR
SPY 596.42 58.4 0.8 S&P 500 fund
QQQ 507.28 49.1 1.1 Nasdaq 100 fund
IWM 238.64 16.8 1.2 Russell 2000 fund
GLD 245.37 14.6 0.9 Gold fund
TLT 90.628 12.5 0.9 Treasury 20+ years fund
"""),
    Market("{}.T", _STOCK, 0.5, label=" (JPY)", tick=5, lot=100, rows="""
7203 2690.5 74.0 1.5 Toyota Motor
6758 2864.0 52.3 1.7 Sony Group
9984 8912.0 46.8 2.6 SoftBank Group
8035 23140.0 41.5 2.8 Tokyo Electron
6861 65480.0 33.2 1.7 Keyence
8306 1812.5 31.6 1.5 Mitsubishi UFJ Financial
9983 50620.0 28.9 1.7 Fast Retailing
7974 8246.0 26.7 1.6 Nintendo
6501 3916.0 24.8 1.8 Hitachi
6857 9038.0 22.4 3.2 Advantest
4063 5634.0 19.6 1.5 Shin-Etsu Chemical
8058 2587.5 18.3 1.5 Mitsubishi Corporation
9432 152.5 17.1 0.9 NTT
7267 1328.5 15.7 1.5 Honda Motor
6902 2184.0 14.2 1.7 Denso
4502 4127.0 12.8 0.9 Takeda Pharmaceutical
7011 2246.5 11.9 2.5 Mitsubishi Heavy Industries
8001 7618.0 10.6 1.3 Itochu
9433 4984.0 9.4 0.9 KDDI
6098 10345.0 8.8 2.1 Recruit Holdings
"""),
    Market("{}.DE", _STOCK, 0.3, label=" (EUR)", lot=1, rows="""
SAP 221.45 18.6 1.4 SAP
SIE 181.36 12.4 1.5 Siemens
ALV 289.70 9.8 0.9 Allianz
DTE 28.940 8.6 0.9 Deutsche Telekom
AIR 138.62 8.1 1.5 Airbus
RHM 608.40 7.4 2.6 Rheinmetall
MUV2 482.30 5.6 1.1 Munich Re
BAS 42.315 5.1 1.5 BASF
MBG 52.640 4.9 1.6 Mercedes-Benz Group
BMW 69.480 4.4 1.7 BMW
VOW3 82.260 4.1 1.8 Volkswagen
IFX 30.165 3.9 2.4 Infineon Technologies
DBK 15.684 3.5 1.9 Deutsche Bank
ADS 224.60 3.2 1.7 Adidas
BAYN 19.426 2.8 2.0 Bayer
DHL 34.870 2.5 1.3 DHL Group
"""),
    Market("{}.L", _STOCK, 0.3, label=" (GBX)", lot=1, rows="""
SHEL 2586.5 16.2 1.2 Shell
AZN 10142.0 14.8 1.4 AstraZeneca
HSBA 726.4 11.9 1.2 HSBC Holdings
ULVR 4618.0 9.2 0.9 Unilever
BP 391.65 8.6 1.4 BP
RIO 4862.5 7.8 1.6 Rio Tinto
GSK 1328.0 6.9 1.2 GSK
DGE 2384.5 5.8 1.3 Diageo
BARC 262.85 5.2 1.7 Barclays
LLOY 54.38 4.7 1.4 Lloyds Banking Group
RR 549.60 4.4 2.2 Rolls-Royce Holdings
VOD 70.46 3.8 1.4 Vodafone Group
TSCO 352.10 3.3 1.0 Tesco
GLEN 386.75 3.0 1.9 Glencore
NG 984.20 2.7 1.0 National Grid
"""),
    Market("{}.PA", _STOCK, 0.3, label=" (EUR)", lot=1, rows="""
MC 592.40 9.6 1.7 LVMH
TTE 57.840 8.8 1.2 TotalEnergies
OR 329.15 6.6 1.4 L'Oreal
SAN 92.310 6.0 1.3 Sanofi
SU 241.70 5.3 1.6 Schneider Electric
AI 157.92 4.6 1.0 Air Liquide
BNP 58.360 4.2 1.5 BNP Paribas
CS 33.485 3.4 1.2 AXA
RMS 2042.0 3.1 1.5 Hermes International
KER 214.85 2.2 2.2 Kering
"""),
    Market("{}.AS", _STOCK, 0.3, label=" (EUR)", lot=1, rows="""
ASML 638.20 11.2 2.2 ASML Holding
INGA 14.926 4.0 1.4 ING Groep
PHIA 25.480 2.4 1.7 Philips
HEIA 70.140 2.0 1.2 Heineken
ADYEN 1402.6 3.6 2.4 Adyen
"""),
    Market("{}.SW", _STOCK, 0.3, label=" (CHF)", lot=1, rows="""
NESN 76.84 8.4 0.9 Nestle
NOVN 92.36 7.2 1.1 Novartis
ROG 253.40 6.8 1.1 Roche Holding
UBSG 28.47 4.8 1.6 UBS Group
ZURN 556.20 2.9 0.9 Zurich Insurance
CFR 122.65 2.6 1.8 Richemont
"""),
    Market("{}.HK", _STOCK, 0.4, label=" (HKD)", tick=5, lot=100, rows="""
0700 398.40 21.8 1.8 Tencent Holdings
9988 81.75 17.2 2.4 Alibaba Group
3690 165.30 12.6 2.7 Meituan
1299 57.85 8.3 1.7 AIA Group
0005 71.20 6.4 1.2 HSBC Holdings
1810 28.35 9.1 2.8 Xiaomi
0941 70.65 4.9 0.9 China Mobile
0388 292.60 5.5 1.9 Hong Kong Exchanges
"""),
    Market("{}.TO", _STOCK, 0.2, label=" (CAD)", lot=1, rows="""
SHOP 149.28 6.1 2.8 Shopify
RY 174.36 4.6 0.9 Royal Bank of Canada
TD 78.92 3.9 1.0 Toronto-Dominion Bank
ENB 60.14 3.5 0.9 Enbridge
CNQ 47.83 2.9 1.6 Canadian Natural Resources
CP 106.57 2.3 1.2 Canadian Pacific Kansas City
"""),
    Market("{}.AX", _STOCK, 0.3, label=" (AUD)", lot=1, rows="""
BHP 39.86 6.8 1.5 BHP Group
CBA 157.43 6.3 1.0 Commonwealth Bank
CSL 280.64 4.0 1.2 CSL
NAB 39.28 3.4 1.1 National Australia Bank
WES 71.96 2.6 1.1 Wesfarmers
FMG 18.632 2.2 2.1 Fortescue
"""),
    Market("{}.KS", _STOCK, 0.5, label=" (KRW)", tick=100, lot=1, rows="""
005930 54300 48.0 1.8 Samsung Electronics
000660 168700 36.0 2.6 SK hynix
373220 394500 14.0 2.4 LG Energy Solution
005380 213500 12.0 1.8 Hyundai Motor
035420 192300 9.0 2.0 Naver
"""),
    Market("{}.NS", _STOCK, 0.3, label=" (INR)", tick=5, lot=1, rows="""
RELIANCE 1268.70 23.0 1.3 Reliance Industries
TCS 4108.45 16.0 1.2 Tata Consultancy Services
HDFCBANK 1742.30 19.0 1.1 HDFC Bank
INFY 1836.55 13.0 1.4 Infosys
ICICIBANK 1254.20 12.0 1.2 ICICI Bank
"""),
    Market("{}.SA", _STOCK, 0.3, label=" (BRL)", lot=1, rows="""
PETR4 38.46 9.4 1.8 Petrobras
VALE3 56.82 8.2 1.7 Vale
ITUB4 33.57 5.4 1.2 Itau Unibanco
"""),
)  # fmt: skip

PAIRS = """
BTC-EUR 2 168.0
BTC-USDT 2 312.0
BTC-USDC 2 96.0
BTC-GBP 2 42.0
BTC-JPY 0 58.0
BTC-CHF 2 7.6
BTC-AUD 2 9.8
BTC-CAD 2 8.4
BTC-BRL 0 11.6
ETH-EUR 2 86.0
ETH-USDT 2 158.0
ETH-USDC 2 44.0
ETH-GBP 2 19.6
ETH-JPY 0 24.0
ETH-BTC 6 0.00132
SOL-EUR 3 52.0
SOL-USDT 3 91.0
SOL-GBP 3 10.8
SOL-BTC 7 0.00061
SOL-ETH 6 0.0038
XRP-EUR 5 36.0
XRP-USDT 5 61.0
XRP-GBP 5 7.2
XRP-JPY 3 13.0
XRP-BTC 9 0.00042
DOGE-EUR 5 17.0
DOGE-USDT 5 39.0
ADA-EUR 5 14.6
ADA-USDT 5 22.0
ADA-BTC 10 0.00017
AVAX-EUR 3 8.1
LINK-EUR 4 7.4
LINK-BTC 8 0.00012
LTC-EUR 3 6.6
LTC-BTC 7 0.00021
DOT-EUR 4 5.7
PEPE-EUR 8 4.9
SUI-EUR 4 4.5
BNB-EUR 2 6.0
BNB-BTC 7 0.00024
USDT-EUR 5 18.0
USDC-EUR 5 12.4
EUR-GBP 5 54.0
EUR-JPY 3 78.0
EUR-CHF 5 47.0
EUR-CAD 5 14.8
EUR-AUD 5 13.3
EUR-NZD 5 7.9
EUR-SEK 4 9.6
EUR-NOK 4 9.1
EUR-PLN 5 8.3
EUR-CZK 4 4.6
EUR-HUF 3 5.3
EUR-TRY 4 4.0
GBP-JPY 3 49.0
GBP-CHF 5 11.1
GBP-CAD 5 8.7
GBP-AUD 5 9.2
GBP-NZD 5 5.0
AUD-JPY 3 16.4
AUD-NZD 5 7.1
AUD-CAD 5 6.2
AUD-CHF 5 3.7
NZD-JPY 3 5.6
CAD-JPY 3 7.7
CHF-JPY 3 9.0
SGD-JPY 3 2.8
ZAR-JPY 4 2.2
MXN-JPY 4 3.3
XAU-EUR 2 33.0
XAU-GBP 2 12.2
XAU-CHF 2 9.9
XAU-JPY 0 14.4
XAU-AUD 2 6.5
XAG-EUR 4 7.0
XAU-XAG 4 0.62
"""
